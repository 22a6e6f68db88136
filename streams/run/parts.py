"""Parts of a worker as its settings want them."""

from collections.abc import Callable

from risk.liquidation.pacing import Pace
from risk.liquidation.stages import Ladder
from schemas.units import E8
from streams.base.settings import Settings
from streams.processors.waterfall import FundRules
from streams.state.guards import Limits
from streams.transport.publisher import Publisher
from streams.transport.transaction import Journal, PlainJournal, TransactionJournal


def journals(settings: Settings) -> Callable[[int], Journal]:
    """What makes the turns of a partition durable; ValueError for neither on nor off."""
    if settings.transactions == "on":
        return lambda number: TransactionJournal(settings.bootstrap, f"{settings.app}-{number}")
    if settings.transactions == "off":
        publisher = Publisher(settings.bootstrap)
        return lambda number: PlainJournal(publisher)
    raise ValueError(f"transactions is {settings.transactions!r}, and must be on or off")


def limits(settings: Settings) -> Limits:
    return Limits(**{name: getattr(settings, name) for name in Limits.__slots__})


def ladder(settings: Settings) -> Ladder:
    return Ladder(
        warning_health_ppm=settings.warning_health_ppm,
        call_health_ppm=settings.call_health_ppm,
        end_health_ppm=settings.end_health_ppm,
        confirm_ticks=settings.confirm_ticks,
        call_ms=settings.call_ms,
        step_ms=settings.step_ms,
        max_steps=settings.max_steps,
    )


def fund_rules(settings: Settings) -> FundRules:
    """How the insurance funds behave."""
    return FundRules(
        carry_ppm=settings.fund_carry_ppm,
        window_ms=settings.fund_window_ms,
        window_cap_e8=settings.fund_cap * E8,
        auction_ms=settings.auction_ms,
        auction_sealed=settings.auction_sealed == "yes",
        auction_first=settings.auction_first == "yes",
        gather_ms=settings.gather_ms,
    )


def pace(settings: Settings) -> Pace:
    return Pace(settings.pace_window_ms, settings.pace_depth_ppm)
