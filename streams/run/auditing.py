"""Reads what an audit needs from a deployment that runs or stands still."""

from schemas.units import E8
from streams.audit.auditor import Report, report
from streams.audit.limits import Limits
from streams.audit.reading import read_log
from streams.base.settings import Settings
from streams.run.offsets import Offsets
from streams.run.soak.verdict import engine_state

ACCOUNTS = "collateral"
"""All account topics have the number of partitions of this one."""


def examine(settings: Settings, *, every_us: int, topics_only: bool, at_rest: bool) -> Report:
    """Audit the deployment that settings name.

    The engine's accounts are read before the topics, so what they know is on the topics. Raises
    ChangelogError and UnreadableTopicsError where these cannot be read.
    """
    engine, orders = None, None
    if not topics_only:
        partitions = partitions_of(settings.bootstrap)
        engine, orders = engine_state(settings.bootstrap, settings.app, partitions)
    return report(
        read_log(settings.bootstrap),
        engine,
        orders,
        limits=limits(settings),
        running=not at_rest,
        every_us=every_us,
    )


def partitions_of(bootstrap: str) -> int:
    """Of the account topics."""
    ends = Offsets(bootstrap).ends()
    return sum(1 for place in ends if place.rpartition("-")[0] == ACCOUNTS)


def limits(settings: Settings) -> Limits:
    """What an auditor must know of the settings of the workers."""
    return Limits(
        stale_ms=settings.stale_ms,
        deviation_ppm=settings.deviation_ppm,
        wide_ppm=settings.wide_ppm,
        window_cap_e8=settings.fund_cap * E8,
        gather_ms=settings.gather_ms,
    )
