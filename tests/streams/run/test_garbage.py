"""What a worker has freed is given back to the system, and not at every turn."""

import ctypes
from pathlib import Path

import pytest

from streams.run.garbage import GIVE_BACK_S, Slack

PIECES, BYTES = 4_000, 16_384
STATM = Path("/proc/self/statm")


def resident_pages() -> int:
    return int(STATM.read_text().split()[1])


@pytest.mark.skipif(
    not STATM.exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc's memory"
)
def test_what_lies_below_memory_in_use_is_given_back() -> None:
    pieces = [bytearray(BYTES) for _ in range(PIECES)]
    on_top = bytearray(BYTES)
    pieces.clear()
    before = resident_pages()
    Slack().give_back(GIVE_BACK_S)
    assert (before - resident_pages()) * 4_096 > PIECES * BYTES // 2
    assert len(on_top) == BYTES


def test_it_takes_its_time_between(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed: list[int] = []
    slack = Slack()
    monkeypatch.setattr(slack, "_trim", trimmed.append)
    for now_s in (100.0, 101.0, 100.0 + GIVE_BACK_S, 101.0 + GIVE_BACK_S):
        slack.give_back(now_s)
    assert len(trimmed) == 2
