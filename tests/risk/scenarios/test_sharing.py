"""One core or several: the losses are the same."""

import numpy as np
import pytest

from risk.margin import scenario_sums
from risk.margin.portfolio import scan, scan_sides

BUCKETS, INSTRUMENTS, SCENARIOS, POSITIONS = 300, 20, 27, 3_000


def test_sharing_the_work_changes_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(5)
    held = (
        draw.integers(0, BUCKETS, POSITIONS),
        draw.integers(0, INSTRUMENTS, POSITIONS),
        draw.integers(-(10**12), 10**12, POSITIONS),
    )
    unit, moves = draw.normal(0, 100, (INSTRUMENTS, SCENARIOS)), draw.normal(0, 0.1, SCENARIOS)
    found = []
    for least in (0, POSITIONS + 1):
        monkeypatch.setattr(scenario_sums, "WORTH_SHARING", least)
        found.append((*scan(*held, unit, BUCKETS), *scan_sides(*held, unit, BUCKETS, moves=moves)))
    for shared, alone in zip(*found, strict=True):
        assert shared.tolist() == alone.tolist()
    assert found[0][0].max() > 0
