"""Transfers: their legs are all there, each once, and move nothing in or out."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from schemas.units import text
from streams.audit.findings import Findings
from streams.audit.history import Partition
from streams.audit.rulebook import Record

WRITING_US = 5_000_000
"""Of a running engine: the legs of a transfer come to their partitions within so much."""
Transfers = Mapping[str, list[Record]]


def transfers_of(parts: Iterable[Partition]) -> Transfers:
    """Transfer id -> its legs that are right, read back or not."""
    transfers: dict[str, list[Record]] = defaultdict(list)
    for part in parts:
        legs = [step.record for step in part.free if step.topic == "transfers"]
        for leg in (*legs, *part.outstanding):
            transfers[leg["transfer_id"]].append(leg)
    return dict(sorted(transfers.items()))


def check_legs(transfers: Transfers, findings: Findings, until_us: float) -> None:
    """Findings on transfers whose legs do not add up, or, before `until_us`, are not all there."""
    for identity, legs in transfers.items():
        findings.transfers[legs[0]["kind"]] += 1
        stated = max(leg["legs"] for leg in legs)
        numbers = sorted(leg["leg"] for leg in legs)
        if numbers != list(range(stated)) and max(leg["event_time"] for leg in legs) >= until_us:
            continue
        if numbers != list(range(stated)):
            missing = sorted(set(range(stated)) - set(numbers))
            what = f"leg {missing[0]} is missing" if missing else f"its legs are {numbers}"
            findings.unbalanced.append(f"transfer {identity} of {stated} legs: {what}")
        kinds = {(leg["kind"], leg["event_time"]) for leg in legs}
        if len(kinds) > 1:
            findings.unbalanced.append(f"transfer {identity}: its legs differ in kind or time")
        findings.unbalanced.extend(
            f"transfer {identity}: its legs leave {text(e8)} of {what}"
            for what, e8 in sorted(sums_of(legs).items())
            if e8
        )


def sums_of(legs: Iterable[Record]) -> Counter[str]:
    """What legs add up to, by asset and by "quantity of" and "cost of" an instrument."""
    sums: Counter[str] = Counter()
    for leg in legs:
        if leg["asset"] is not None:
            sums[leg["asset"]] += leg["amount_e8"]
        if leg["instrument_id"] is not None:
            sums[f"quantity of {leg['instrument_id']}"] += leg["quantity_e8"]
            sums[f"cost of {leg['instrument_id']}"] += leg["cost_e8"]
    return sums
