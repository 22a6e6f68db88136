"""Fills damaged in every way an exchange's bytes can be, with the reason that must be given."""

import random
from collections.abc import Callable
from typing import Any

from schemas.record_codec import encode
from schemas.units import E8
from tests.streams.state.exchange import NOW_US, fill

Keyed = tuple[bytes | None, bytes | None]
Damage = Callable[[dict[str, Any], random.Random], Keyed]


def keyed(record: dict[str, Any]) -> Keyed:
    return record["account_id"].encode(), encode("fill", record)


def changed(**fields: Any) -> Damage:
    return lambda record, rng: keyed({**record, **fields})


def bytes_changed(change: Callable[[bytes, random.Random], bytes | None]) -> Damage:
    def damage(record: dict[str, Any], rng: random.Random) -> Keyed:
        key, value = keyed(record)
        assert value is not None
        return key, change(value, rng)

    return damage


def wrong_key(record: dict[str, Any], rng: random.Random) -> Keyed:
    return b"somebody-else", encode("fill", record)


def duplicate(record: dict[str, Any], rng: random.Random) -> Keyed:
    return keyed({**record, "fill_id": "f-0"})


def huge(value: bytes, rng: random.Random) -> bytes:
    return value[:5] + rng.randbytes(5_000_000)


DAMAGES: list[tuple[str, Damage]] = [
    ("UNDECODABLE", bytes_changed(lambda v, rng: v[: rng.randrange(5, len(v))])),
    ("UNDECODABLE", bytes_changed(lambda v, rng: v[: rng.randrange(0, 5)])),
    ("UNDECODABLE", bytes_changed(lambda v, rng: v + rng.randbytes(rng.randrange(1, 20)))),
    ("UNDECODABLE", bytes_changed(lambda v, rng: b"\x01" + v[1:])),
    ("UNDECODABLE", bytes_changed(lambda v, rng: None)),
    ("UNDECODABLE", bytes_changed(lambda v, rng: b"")),
    ("UNKNOWN_SCHEMA", bytes_changed(lambda v, rng: v[:1] + b"\x00\x01\x00\x00" + v[5:])),
    ("UNKNOWN_SCHEMA", bytes_changed(lambda v, rng: v[:4] + b"\x05" + v[5:])),
    ("MISSING_FIELD", changed(fill_id="")),
    ("UNKNOWN_INSTRUMENT", changed(instrument_id="NO-SUCH")),
    ("UNKNOWN_ASSET", changed(fee_asset="NOPE")),
    ("OFF_TICK_PRICE", changed(price_e8=50_000 * E8 + 1)),
    ("OFF_LOT_QUANTITY", changed(quantity_e8=E8 + 1)),
    ("NON_POSITIVE_PRICE", changed(price_e8=0)),
    ("NON_POSITIVE_PRICE", changed(price_e8=-E8)),
    ("NON_POSITIVE_QUANTITY", changed(quantity_e8=-E8)),
    ("AMOUNT_OUT_OF_RANGE", changed(price_e8=2**63 - 1)),
    ("AMOUNT_OUT_OF_RANGE", changed(quantity_e8=10**17)),
    ("AMOUNT_OUT_OF_RANGE", changed(fee_e8=-(2**63))),
    ("TIME_OUT_OF_RANGE", changed(event_time=0)),
    ("TIME_OUT_OF_RANGE", changed(event_time=NOW_US * 1_000)),
    ("SETTLED_INSTRUMENT", changed(instrument_id="OLD-PERP")),
    ("DUPLICATE_ID", duplicate),
    ("WRONG_KEY", wrong_key),
]


def poisoned(count: int, accounts: int, seed: int) -> tuple[list[Keyed], dict[int, set[str]]]:
    """`count` fills of which every hundredth is damaged; place -> the reasons that fit.

    Twice in each round of damages two neighbours exchange bytes, and one record is 5 MB.
    """
    rng = random.Random(seed)
    records = [
        fill(number, f"acc-{rng.randrange(accounts):05d}", quantity_e8=rng.randrange(1, 9) * E8)
        for number in range(count)
    ]
    run: list[Keyed] = [keyed(record) for record in records]
    bad: dict[int, set[str]] = {}
    for turn, place in enumerate(range(50, count - 1, 100)):
        kind = turn % (len(DAMAGES) + 2)
        if kind < len(DAMAGES):
            reason, damage = DAMAGES[kind]
            run[place], bad[place] = damage(records[place], rng), {reason}
        else:
            (key, value), (next_key, next_value) = run[place], run[place + 1]
            assert value is not None
            assert next_value is not None
            moved = rng.randrange(1, len(value) - 5)
            run[place] = key, value[:-moved]
            run[place + 1] = next_key, next_value[:5] + value[-moved:] + next_value[5:]
            bad[place] = bad[place + 1] = {"UNDECODABLE"}
    middle = count // 2
    run[middle], bad[middle] = bytes_changed(huge)(records[middle], rng), {"UNDECODABLE"}
    return run, bad
