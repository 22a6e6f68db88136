"""What kind of market a simulated world has, and what its insurance fund is told to do."""

from dataclasses import dataclass
from random import Random

from streams.processors.waterfall import FundRules


@dataclass(frozen=True, slots=True)
class Mood:
    """What kind of market a world has."""

    fund: int = 1_000_000
    """What the insurance fund begins with, USDT."""
    deposits: tuple[int, ...] = (4_000, 5_000, 6_500)
    """What a person begins with, one of these; the first trade is of about 50,000."""
    gap_rate: float = 0.0
    """Of a step, that prices leap down in it."""
    fill_rate: float = 0.7
    """Of an order to reduce, that it is filled."""
    short_rate: float = 0.0
    """Of a person's trade, that it is a sale."""


CALM = Mood()


def tense(rng: Random) -> Mood:
    """A market in which few answer and funds run dry."""
    return Mood(
        fund=rng.choice((0, 8_000, 50_000, 100_000)),
        deposits=rng.choice(((4_000, 5_000, 6_500), (3_000, 3_500))),
        gap_rate=rng.choice((0.3, 0.6)),
        fill_rate=0.2,
        short_rate=rng.choice((0.0, 0.4)),
    )


def fund_rules(rng: Random) -> FundRules:
    """Short times, so that a few steps reach all that a fund may do."""
    return FundRules(
        carry_ppm=rng.choice((1_000_000, 10_000_000)),
        auction_ms=rng.choice((0, 4_000, 4_000)),
        auction_sealed=rng.random() < 0.3,
        auction_first=rng.random() < 0.4,
        gather_ms=1_000,
        retry_ms=1_000,
    )
