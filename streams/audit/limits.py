"""The settings of an engine that its auditor must know."""

from typing import NamedTuple


class Limits(NamedTuple):
    """The engine's settings by which an audit judges, of the same names and units."""

    stale_ms: int = 15_000
    deviation_ppm: int = 100_000
    wide_ppm: int = 100_000
    penalty_ppm: int = 0
    """Largest penalty on a fill of a liquidation order."""


STANDARD = Limits()
