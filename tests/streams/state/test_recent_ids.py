"""Recent ids: what comes again is found, young, saved in a generation, or in the same block."""

import numpy as np
import pytest

from streams.state import recent_ids
from streams.state.recent_ids import RecentIds, hashes


@pytest.mark.parametrize("seed", range(4))
def test_ids_are_fresh_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_ids, "YOUNG_LIMIT", 50)
    rng = np.random.default_rng(seed)
    recent, seen = RecentIds(window=10_000), set[int]()
    for size in rng.integers(1, 40, 60).tolist():
        hashed = hashes([f"f-{number}" for number in rng.integers(0, 3_000, size).tolist()])
        considered = rng.random(size) < 0.9
        expected = []
        for one, asked in zip(hashed.tolist(), considered.tolist(), strict=True):
            expected.append(not asked or one not in seen)
            seen |= {one} if asked else set()
        fresh = recent.first_seen(hashed, considered)
        assert fresh.tolist() == expected
        recent.remember(hashed[fresh & considered])


def test_a_block_without_repeats_is_all_fresh_until_it_comes_again() -> None:
    recent, hashed = RecentIds(), hashes([f"f-{number}" for number in range(1_000)])
    everyone = np.ones(1_000, np.bool_)
    assert recent.first_seen(hashed, everyone).all()
    recent.remember(hashed)
    assert not recent.first_seen(hashed, everyone).any()


def test_only_the_window_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_ids, "YOUNG_LIMIT", 10)
    recent = RecentIds(window=100)
    first = hashes([f"f-{number}" for number in range(10)])
    recent.remember(first)
    for block in range(1, 30):
        recent.remember(hashes([f"f-{block}-{number}" for number in range(10)]))
        if block == 9:
            assert not recent.first_seen(first, np.ones(10, np.bool_)).any()
    assert recent.first_seen(first, np.ones(10, np.bool_)).all()


def test_a_hash_is_the_same_in_every_release() -> None:
    assert hashes(["f-1", "é"]).tolist() == [0x56A05A0A0AFD18F9, 0xF7940A006CF10CB3]
