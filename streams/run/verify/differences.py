"""Where a stored record differs from the one computed anew, in words."""

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import Any, NamedTuple

from schemas.units import text

BUCKET_AMOUNTS = ("equity_e8", "initial_margin_e8", "maintenance_margin_e8", "initial_equity_e8")
BUCKET_OTHERS = ("health", "guard", "worst_scenario")
POSITION_AMOUNTS = ("mark_e8", "profit_e8", "maintenance_margin_e8", "liquidation_price_e8")
GREEKS = ("delta", "gamma", "vega", "theta")
RELATIVE = 1e-9
"""Between floats of different machines."""
Record = Mapping[str, Any]


class Finding(NamedTuple):
    """A stored record that is not what the history gives."""

    topic: str
    partition: int
    offset: int
    account: str
    time_us: int
    differences: tuple[str, ...]
    """Each names what differs, what is stored and what was computed."""
    ticks: tuple[tuple[str, int, int], ...] = ()
    """Instruments whose marks differ, with partition and offset of the tick on `prices`."""


def said(name: str, stored: Any, computed: Any) -> str:
    """One difference; amounts are integers of 1e-8."""
    return f"{name} is {shown(stored)} stored, {shown(computed)} computed"


def shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool | float | str):
        return str(value)
    return text(value)


def of_holdings(
    kind: str, stored: Mapping[tuple[str, str], Any], booked: Mapping[tuple[str, str], Any]
) -> Iterator[str]:
    """Of balances, or of positions as (quantity, cost), by bucket and name."""
    for place in sorted({*stored, *booked}):
        one, other = stored.get(place), booked.get(place)
        if one == other:
            continue
        where = f"{place[1]} in {place[0]}"
        if kind == "balance":
            yield said(f"balance of {where}", one or 0, other or 0)
            continue
        for number, name in enumerate(("quantity", "cost")):
            pair = [held[number] if held else 0 for held in (one, other)]
            if pair[0] != pair[1]:
                yield said(f"{name} of {where}", *pair)


def of_state(stored: Record, computed: Record) -> Iterator[str]:
    """What follows from holdings, marks and rules in two margin states of one account."""
    yield from _of_buckets(stored["buckets"], computed["buckets"])
    pairs = _pairs(stored, computed, "positions", ("bucket", "instrument_id"))
    for (pool, name), one, other in pairs:
        where = f"{name} in {pool}"
        if one is None or other is None:
            yield said(f"whether {where} is marked", one is not None, other is not None)
            continue
        for field in POSITION_AMOUNTS:
            if one[field] != other[field]:
                yield said(f"{_words(field)} of {where}", one[field], other[field])
    for (pool, name), one, other in _pairs(stored, computed, "greeks", ("bucket", "underlying")):
        for field in GREEKS:
            pair = [0.0 if held is None else held[field] for held in (one, other)]
            if not _close(*pair):
                yield said(f"{field} on {name} in {pool}", *pair)


def of_bucket(stored: Record, computed: Record, fields: Sequence[str], where: str) -> Iterator[str]:
    for field in fields:
        if not _close(stored[field], computed[field]):
            yield said(f"{_words(field)} of {where}", stored[field], computed[field])


def _of_buckets(stored: Sequence[Record], computed: Sequence[Record]) -> Iterator[str]:
    by_name = {one["bucket"]: one for one in computed}
    for one in stored:
        other = by_name.pop(one["bucket"], None)
        if other is None:
            yield said(f"bucket {one['bucket']}", "there", "not there")
        else:
            yield from of_bucket(one, other, BUCKET_AMOUNTS + BUCKET_OTHERS, one["bucket"])
    for name, other in by_name.items():
        if any(other[field] for field in BUCKET_AMOUNTS):
            yield said(f"bucket {name}", "not there", "there")


def _pairs(
    stored: Record, computed: Record, array: str, keys: tuple[str, str]
) -> Iterator[tuple[tuple[str, str], Record | None, Record | None]]:
    one, other = (
        {(item[keys[0]], item[keys[1]]): item for item in record[array]}
        for record in (stored, computed)
    )
    for place in sorted({*one, *other}):
        yield place, one.get(place), other.get(place)


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or isclose(one, other, rel_tol=RELATIVE, abs_tol=RELATIVE)
    return bool(one == other)


def _words(field: str) -> str:
    return field.removesuffix("_e8").replace("_", " ")
