"""A changelog that cannot be read to its end is given up in time."""

import time

import pytest

from streams.transport import changelog_reader
from streams.transport.changelog_reader import ChangelogReader, ChangelogSilentError, Pairs


class HalfDeaf(ChangelogReader):
    """Every client of it meets the end of partition 0 at once, and hears nothing of partition 1."""

    def poll(self, wait_s: float = 0.0) -> list[tuple[int, Pairs]]:
        time.sleep(0.001)
        self._at_end.add(0)
        return []


def test_ends_that_each_new_client_meets_again_do_not_keep_it_waiting_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(changelog_reader, "QUIET_S", 0.02)
    monkeypatch.setattr(changelog_reader, "PATIENCE_S", 0.3)
    reader = HalfDeaf("127.0.0.1:1", "book-changelog")
    reader.follow({0, 1})
    with pytest.raises(ChangelogSilentError, match=r"nothing came of partitions \[1\]"):
        for _ in reader.read_to_end():
            pass
