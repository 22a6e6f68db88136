"""The settings of an engine that its auditor must know."""

from typing import NamedTuple


class Limits(NamedTuple):
    """The engine's settings by which an audit judges, of the same names and units."""

    stale_ms: int = 15_000
    deviation_ppm: int = 100_000
    wide_ppm: int = 100_000
    penalty_ppm: int = 5_000
    """Largest penalty on a fill of a liquidation order."""
    window_cap_e8: int = 0
    """What a fund may lose in a window; 0: all it has."""
    gather_ms: int = 2_000
    """How long a fund waits for the answers of all partitions."""


STANDARD = Limits()
