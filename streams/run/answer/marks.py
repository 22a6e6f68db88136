"""When a bucket last met its maintenance margin before it was liquidated: why not earlier."""

from typing import Any

from schemas.units import text
from streams.audit.account import AccountState
from streams.audit.margin import Margin, NotPricedError, margin
from streams.audit.minutes import clock
from streams.audit.moments import bucket_of
from streams.audit.rulebook import Record
from streams.run.answer.evidence import Evidence

BACK_US = 600_000_000
"""So far back prices are looked at."""
MOST = 500
"""And so many of them."""


def last_above(
    evidence: Evidence, state: AccountState, bucket: str, told: Record
) -> dict[str, Any] | None:
    """The last price before a decision at which the bucket was not below, and the first below.

    By the tiers alone, from what the bucket held at each of these prices. None where that is not
    known: of options and portfolios, or where it was below all the time that is looked at.
    """
    until_us = told["event_time"]
    names = _names(evidence, state, bucket, until_us)
    moments = sorted(
        {
            tick.time_us
            for name in names
            for tick in evidence.rules.ticks(name, until_us - BACK_US, until_us)
        },
        reverse=True,
    )
    below_us = until_us
    for time_us in moments[:MOST]:
        # what the decision itself moved away bears its own time
        then = state if time_us == until_us else evidence.at(time_us)
        found = _margin(evidence, (then, bucket), names, time_us)
        if found is None or found[0].maintenance_margin_e8 is None:
            return None
        worth, marks_e8 = found
        maintenance_e8 = worth.maintenance_margin_e8 or 0
        if worth.equity_e8 >= maintenance_e8:
            return {
                "at": clock(time_us),
                "equity": text(worth.equity_e8),
                "maintenance_margin": text(maintenance_e8),
                "marks": {name: text(e8) for name, e8 in sorted(marks_e8.items())},
                "below_since": clock(below_us),
                "seconds_below": (until_us - below_us) / 1e6,
            }
        below_us = time_us
    return None


def _names(evidence: Evidence, state: AccountState, bucket: str, time_us: int) -> list[str]:
    """The instruments whose prices a bucket rests on."""
    balances, positions = bucket_of(state, bucket)
    rules = evidence.rules
    assets = {*balances, *(rules.contracts[name].settlement for name in positions)}
    pricers = (rules.asset_at(asset, time_us) for asset in assets)
    return sorted({*positions, *(one["price_instrument_id"] for one in pricers if one)} - {None})


def _margin(
    evidence: Evidence, held: tuple[AccountState, str], names: list[str], time_us: int
) -> tuple[Margin, dict[str, int]] | None:
    rules, marks_e8 = evidence.rules, {}
    for name in names:
        ticks = rules.ticks(name, time_us - BACK_US, time_us)
        if ticks:
            marks_e8[name] = ticks[-1].mark_e8
    try:
        portfolio = evidence.is_portfolio(held[1])
        made = margin(bucket_of(*held), marks_e8, rules, time_us, portfolio=portfolio)
        return made, marks_e8
    except NotPricedError:
        return None
