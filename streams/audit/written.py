"""What is known of transfers before a leg is booked: which there are, and shares on their way."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.dead_letter import RefusedRecord
from schemas.record_codec import decode
from streams.audit.outputs import APPLIED, offsets_applied
from streams.audit.partitioner import slice_number
from streams.audit.reading import Log

SOCIALISED = "@socialised:"


class Written(NamedTuple):
    """Of all transfers that can be read."""

    ids: frozenset[str]
    shares: Mapping[str, Sequence[range]]
    """By slice of socialised losses: the offsets on its partition's `transfers` between a share's
    decision and the last leg of the slice itself. No contracts are taken of winners there."""


def written(log: Log) -> Written:
    ids: set[str] = set()
    shares: dict[str, dict[str, range]] = defaultdict(dict)
    for (topic, number), entries in log.items():
        for entry in entries if topic == "transfers" else ():
            try:
                leg = decode(entry.value, "transfer")[1]
            except RefusedRecord:
                continue  # it has, or lacks, its letter
            identity, account = leg["transfer_id"], leg["account_id"]
            ids.add(identity)
            mine = account == identity.rpartition("/")[0] and slice_number(account) == number
            if mine and account.startswith(SOCIALISED) and APPLIED in entry.headers:
                first = offsets_applied(entry.headers).get("transfers", 0)
                shares[account][identity] = range(first, entry.offset)
    return Written(frozenset(ids), {name: [*found.values()] for name, found in shares.items()})
