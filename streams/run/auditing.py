"""Reads what an audit needs from a deployment that runs or stands still."""

from confluent_kafka import Consumer, KafkaException

from schemas.units import E8
from streams.audit.auditor import Report, report
from streams.audit.limits import Limits
from streams.audit.reading import UnreadableTopicsError, read_log
from streams.base.settings import Settings
from streams.run.soak.verdict import engine_state

ANSWER_S = 10.0
ACCOUNTS = "collateral"
"""All account topics have the number of partitions of this one."""


def examine(settings: Settings, *, every_us: int, topics_only: bool, at_rest: bool) -> Report:
    """Audit the deployment that settings name.

    The engine's accounts are read before the topics, so what they know is on the topics. Raises
    ChangelogError and UnreadableTopicsError where these cannot be read.
    """
    engine, orders = None, None
    partitions = partitions_of(settings.bootstrap)
    if not topics_only:
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
    """Of the account topics. UnreadableTopicsError where no broker answers."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "plimsoll-audit", "log_level": 0}
    )
    try:
        topics = consumer.list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        message = error.args[0].str()
        raise UnreadableTopicsError(f"no broker answers at {bootstrap}: {message}") from error
    finally:
        consumer.close()
    if ACCOUNTS not in topics:
        raise UnreadableTopicsError(f"topic {ACCOUNTS} is missing at {bootstrap}")
    return len(topics[ACCOUNTS].partitions)


def limits(settings: Settings) -> Limits:
    """What an auditor must know of the settings of the workers."""
    return Limits(
        stale_ms=settings.stale_ms,
        deviation_ppm=settings.deviation_ppm,
        wide_ppm=settings.wide_ppm,
        penalty_ppm=settings.penalty_ppm,
        window_cap_e8=settings.fund_cap * E8,
        gather_ms=settings.gather_ms,
    )
