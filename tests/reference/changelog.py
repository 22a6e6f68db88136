"""An account's record in the changelog, word by word as its format is told: slow and plain."""

import struct

from streams.state.account_book import AccountBook
from streams.state.columns import ColumnTable
from streams.state.names import Names

MASK = 2**64 - 1
LOW = 2**32 - 1


def record_of(book: AccountBook, row: int, names: Names) -> bytes:
    """Of the account in this row of the book, whose names have all got their codes."""
    partition = int(book.accounts["partition"][row])
    assets, instruments = names.assets.names[partition], names.instruments.names[partition]
    mine = sorted(_rows(book.buckets, "account", row))
    entries: dict[int, list[list[list[int]]]] = {bucket: [[], [], []] for bucket in mine}
    for bucket in mine:
        for one in sorted(_rows(book.balances, "bucket", bucket)):
            amount_e8 = int(book.balances["amount_e8"][one])
            name = names.assets._listed[book.balances["asset"][one]]
            if amount_e8:
                entries[bucket][0].append([assets.index(name) << 32, amount_e8])
        for one in sorted(_rows(book.positions, "bucket", bucket)):
            amounts = [int(book.positions[column][one]) for column in ("quantity_e8", "cost_e8")]
            name = names.instruments._listed[book.positions["instrument"][one]]
            if any(amounts):
                entries[bucket][1].append([instruments.index(name) << 32, *amounts])
        for one in sorted(_rows(book.orders.table, "bucket", bucket)):
            table = book.orders.table
            code = instruments.index(names.instruments._listed[table["instrument"][one]])
            what = code << 32 | int(table["reduce_only"][one]) << 31
            entries[bucket][2].append(
                [what, int(table["id_hash"][one]), int(table["signed_e8"][one])]
            )
    columns = book.buckets
    kept = [b for b in mine if any(entries[b]) or columns["episode"][b] or columns["breaches"][b]]
    parts = [
        [
            [one[0] | nth, *one[1:]]
            for nth, bucket in enumerate(kept)
            for one in entries[bucket][kind]
        ]
        for kind in range(3)
    ]
    ordered = bool(book.accounts["orders"][row] > 0)
    ends = [int(book.accounts[topic][row]) for topic in ("collateral", "transfers", "fills")]
    words = [
        (4 if ordered else 3) | int(book.accounts["quarantined"][row]) << 8
        | len(kept) << 16 | len(parts[0]) << 32 | len(parts[1]) << 48,
        0, *ends, int(book.accounts["quarantined_at_us"][row]),
    ]  # fmt: skip
    for bucket in kept:
        words += _bucket(book, bucket, instruments, names.instruments._listed)
    words += [word for kind in (0, 1) for part in parts[kind] for word in part]
    if ordered:
        words += [int(book.accounts["orders"][row]), len(parts[2])]
    words += [word for part in parts[2] for word in part]
    words[1] = seal_of(words)
    return struct.pack(f"<{len(words)}Q", *(word & MASK for word in words))


def seal_of(words: list[int]) -> int:
    """A sum of all words but the seal, each mixed with its place."""
    seal = 0
    for place, word in enumerate(words, 1):
        mixed = (word + place * 0x9E3779B97F4A7C15) & MASK
        for _ in range(2):
            mixed = ((mixed ^ mixed >> 32) * 0xD6E8FEB86659FD93) & MASK
        seal += (mixed ^ mixed >> 32) if place != 2 else 0
    return seal & MASK


def _bucket(book: AccountBook, row: int, codes: list[str], listed: list[str]) -> list[int]:
    told = {name: int(book.buckets[name][row]) for name in _OF_BUCKET}
    pool = told["instrument"]
    code = LOW if pool < 0 else codes.index(listed[pool])
    return [
        code | told["stage"] << 32 | told["escalated"] << 40,
        told["episode"] | told["outputs"] << 32,
        told["breaches"] | told["step"] << 32,
        *(told[name] for name in _OF_BUCKET[-4:]),
    ]


_OF_BUCKET = (
    "instrument", "stage", "escalated", "episode", "outputs", "breaches", "step", "deadline_us",
    "step_deadline_us", "order_number", "order_bankruptcy_e8",
)  # fmt: skip


def _rows(table: ColumnTable, owner: str, row: int) -> list[int]:
    return [one for one in table.live_rows().tolist() if table[owner][one] == row]
