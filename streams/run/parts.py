"""Parts of a worker as its settings want them."""

from collections.abc import Callable

from risk.liquidation.pacing import Pace
from risk.liquidation.stages import Ladder
from schemas.units import E8
from streams.base.settings import Settings
from streams.processors.cycle import Cycle
from streams.processors.dead_letters import DeadLetters
from streams.processors.waterfall import FundRules
from streams.state.guards import Limits
from streams.state.profiles import load_profile
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


def cycle(settings: Settings, catch_up: Callable[[], None]) -> Cycle:
    """The cycle; `catch_up` reads the broadcast topics to their present end."""
    return Cycle(
        settings.partitions,
        ladder=ladder(settings),
        pace=pace(settings),
        penalty_ppm=settings.penalty_ppm,
        limits=limits(settings),
        fund_rules=fund_rules(settings),
        profile=load_profile(settings.profile),
        letters=DeadLetters(settings.dead_letter_limit),
        catch_up=catch_up,
        app=settings.app,
        map_ms=settings.map_ms,
    )


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
