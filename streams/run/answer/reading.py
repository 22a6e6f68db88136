"""Reads what the topics have of one account."""

from streams.audit.partition import Orders
from streams.audit.partitioner import partition_of
from streams.audit.reading import read_log
from streams.base.settings import Settings
from streams.run.answer.evidence import Evidence, wanted
from streams.run.auditing import limits, partitions_of
from streams.run.topics import changelog_topic
from streams.state.changelog import ChangelogError
from streams.state.partition_log import Image, orders
from streams.transport.changelog_reader import ChangelogReader


def read_evidence(account: str, settings: Settings) -> Evidence:
    """From the topics and the changelog of the account's partition, as far as they are written.

    Raises UnknownAccountError, UnreadableTopicsError and ChangelogError.
    """
    count = partitions_of(settings.bootstrap)
    number = partition_of(account, count)
    told = _orders(settings, number)
    log = read_log(settings.bootstrap, wanted=lambda place: wanted(account, place, count))
    return Evidence.of(account, log, told, limits(settings))


def _orders(settings: Settings, number: int) -> Orders:
    """What the engine noted of what fell between which fills."""
    image = Image()
    reader = ChangelogReader(settings.bootstrap, changelog_topic(settings.app))
    try:
        reader.follow({number})
        for found in reader.read_to_end():
            for _, pairs in found:
                image.take(pairs)
    except ChangelogError as error:
        raise ChangelogError(f"partition {number}: {error}") from error
    finally:
        reader.close()
    return {number: orders(image.records)}
