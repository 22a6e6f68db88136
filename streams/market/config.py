"""What a simulated exchange is built from, and the building of it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schemas.units import E8
from streams.market.contracts import catalogue_of, seeded_catalogue
from streams.market.exchange import Exchange, Pace, Treasury
from streams.market.paths import PricePath, SeededPath
from streams.market.population import populate
from streams.market.replayer import ReplayPath

SEEDED_STEP_MS = 250
REPLAY_STEP_MS = 1_000
SEEDED_FUNDING_S = 60.0
REPLAY_FUNDING_S = 8 * 3600.0


@dataclass(frozen=True, slots=True)
class MarketConfig:
    """Settings of a market; times are event time.

    `replay`: file or folder of recorded bars (None: the seeded market), from `start` until before
    `end`. `step_ms`, `funding_interval_s`: None takes 250 ms and 60 s for the seeded market, 1 s
    and 8 h for a replay. `fills_per_s`: fills of ordinary trading aimed at, both sides counted.
    `options`: the seeded market lists options too, and some accounts are margined as portfolios.
    `opening_s`: time in which accounts open their first positions. `crash_at_s` (None: no crash),
    `fall_s`, how long the crash falls, and `duration_s` (None: without end) concern the seeded
    market alone. `fund_pace_ppm`: of the depth within 1 %, what the insurance funds' executor
    trades out of their positions a second (0: they keep what they hold).
    """

    seed: int = 42
    accounts: int = 1_000
    options: bool = False
    makers: int = 4
    replay: Path | None = None
    start: datetime | None = None
    end: datetime | None = None
    step_ms: int | None = None
    fills_per_s: float = 200.0
    opening_s: float = 20.0
    crash_at_s: float | None = 60.0
    fall_s: float = 70.0
    duration_s: float | None = None
    funding_interval_s: float | None = None
    insurance_fund_e8: int = 5_000_000 * E8
    fund_pace_ppm: int = 10_000
    maker_collateral_e8: int = 1_000_000_000 * E8

    def __post_init__(self) -> None:
        _require(self.accounts >= 0, "accounts", "is negative")
        _require(self.makers >= 1, "makers", "is less than 1: every trade needs one")
        _require(self.step_ms is None or self.step_ms >= 1, "step_ms", "is less than 1")
        _require(self.fills_per_s >= 0, "fills_per_s", "is negative")
        _require(self.duration_s is None or self.duration_s >= 0, "duration_s", "is negative")
        _require(self.fund_pace_ppm >= 0, "fund_pace_ppm", "is negative")
        _require(self.fall_s > 0, "fall_s", "is not positive")
        _require(self.opening_s > 0, "opening_s", "is not positive")


def build(config: MarketConfig) -> Exchange:
    """The exchange of a configuration; NoRecordedPricesError where the replay holds no prices."""
    seeded = config.replay is None
    step_ms = config.step_ms or (SEEDED_STEP_MS if seeded else REPLAY_STEP_MS)
    path: PricePath
    if config.replay is None:
        catalogue = seeded_catalogue(options=config.options)
        path = SeededPath(
            catalogue,
            seed=config.seed,
            step_us=step_ms * 1_000,
            crash_at_s=config.crash_at_s,
            fall_s=config.fall_s,
            duration_s=config.duration_s,
        )
    else:
        path = ReplayPath(config.replay, config.start, config.end, step_ms=step_ms)
        catalogue = catalogue_of(path.listings)
    funding_s = config.funding_interval_s or (SEEDED_FUNDING_S if seeded else REPLAY_FUNDING_S)
    return Exchange(
        catalogue,
        populate(catalogue, seed=config.seed, accounts=config.accounts, makers=config.makers),
        path=path,
        pace=Pace(config.fills_per_s, config.opening_s, round(funding_s * 1e6)),
        treasury=Treasury(
            config.insurance_fund_e8, config.maker_collateral_e8, config.fund_pace_ppm
        ),
        seed=config.seed,
    )


def _require(holds: bool, name: str, why: str) -> None:
    if not holds:
        raise ValueError(f"{name} {why}")
