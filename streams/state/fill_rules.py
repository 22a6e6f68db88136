"""Which fills keep every rule, and what they are worth: one compiled loop over the rows.

The few that break one are judged once more rule by rule, which finds the reason.
"""

from dataclasses import dataclass

import numpy as np

from risk.compiled import compiled
from risk.margin.rows import divide, multiply
from schemas.block import Block, Columns, Int64s
from schemas.dead_letter import DeadLetterReason as Reason
from schemas.dead_letter import Refusal
from schemas.spans import Spans
from schemas.units import LIMIT_E8
from streams.state.admission import EARLIEST_US, LATEST_US, Admission, Bools
from streams.state.ledger import Ledger
from streams.state.name_table import spelled
from streams.state.probing import EMPTY, Asked, index
from streams.state.recent_ids import UInt64s, hashes

SELL = 1
TEXTS = ("account_id", "fill_id", "instrument_id", "fee_asset")
AMOUNTS = ("price_e8", "quantity_e8", "fee_e8", "isolated_margin_e8")


@dataclass(frozen=True, slots=True)
class Fills:
    """Rows of a block of fills, and what was found of them; all int64[n] but the hashes."""

    columns: Columns
    hashed: UInt64s
    instruments: Int64s
    fee_assets: Int64s
    signed_e8: Int64s
    """The quantity, negative where it is sold."""
    value_e8: Int64s
    base_e8: Int64s
    """Quantity x multiplier."""

    def __len__(self) -> int:
        return len(self.columns)

    def chosen(self, places: Int64s) -> "Fills":
        """The rows at these places only."""
        if len(places) == len(self):
            return self
        return Fills(
            self.columns.chosen(places),
            self.hashed[places],
            self.instruments[places],
            self.fee_assets[places],
            self.signed_e8[places],
            self.value_e8[places],
            self.base_e8[places],
        )


def judge(ledger: Ledger, block: Block, columns: Columns) -> tuple[Fills, Admission]:
    """All rows, and which of them keep every rule that does not need the book.

    What is worth more than 18 digits, or breaks another rule, has a quantity and a value of 0.
    """
    rules, data, n = ledger.rules, columns.data, len(columns)
    contracts = rules.contracts
    instruments = rules.instrument_table.found(data["instrument_id"])
    fee_assets = rules.asset_table.found(data["fee_asset"])
    strangers = ledger.strangers(data["account_id"], block.partition)
    keys = block.keys if n == len(block) else [block.keys[row] for row in columns.rows.tolist()]
    admission, fits = Admission(columns), np.empty(n, np.bool_)
    worth = np.zeros((3, n), np.int64)
    _judge(
        (spelled([key or b"" for key in keys]), spelled(data["account_id"])),
        (data["event_time"], instruments, fee_assets, data["side"]),
        (*(data[name] for name in AMOUNTS), *(data[name].sizes for name in TEXTS)),
        (
            ledger.settled_us(block.partition),
            contracts.tick_e8,
            contracts.lot_e8,
            contracts.multiplier_e8,
            contracts.inverse,
        ),
        (admission.ok, fits, worth),
    )
    if strangers:
        names = data["account_id"].texts()[0]
        admission.ok &= np.array([name not in strangers for name in names], np.bool_)
    if not admission.ok.all():
        broken = columns.chosen(np.flatnonzero(~admission.ok))
        admission.refused += _refusals(ledger, block, broken, strangers)
    hashed = hashes(data["fill_id"])
    admission.require(
        ledger.fill_ids(block.partition).first_seen(hashed, admission.ok),
        Reason.DUPLICATE_ID,
        lambda row: f"fill_id {data['fill_id'].text(row)!r} was seen before",
    )
    admission.require(
        fits,
        Reason.AMOUNT_OUT_OF_RANGE,
        lambda row: (
            f"quantity x price is beyond 18 digits "
            f"({data['quantity_e8'][row]} x {data['price_e8'][row]})"
        ),
    )
    return Fills(columns, hashed, instruments, fee_assets, *worth), admission


def _refusals(
    ledger: Ledger, block: Block, columns: Columns, strangers: dict[str, int]
) -> list[Refusal]:
    """Of rows that each break a rule: the first one."""
    texts = {
        name: column.texts()[0] if isinstance(column, Spans) else column
        for name, column in columns.data.items()
    }
    rules, data = ledger.rules, texts
    admission = Admission(Columns(columns.record, columns.rows, data, columns.nulls))
    admission.require_text(*TEXTS)
    admission.require_key(block.keys, data["account_id"])
    admission.require_home(strangers)
    admission.require_time()
    instruments = admission.numbers("instrument_id", rules.number, Reason.UNKNOWN_INSTRUMENT)
    admission.numbers("fee_asset", rules.asset_number, Reason.UNKNOWN_ASSET)
    if admission.ok.any():
        _require_tradable(ledger, block.partition, admission, instruments)
    assert not admission.ok.any(), "a fill was refused without a reason"
    return admission.refused


def _require_tradable(
    ledger: Ledger, partition: int, admission: Admission, instruments: Int64s
) -> None:
    """What an instrument asks of price and quantity."""
    rules, data = ledger.rules, admission.columns.data
    price, quantity, names = data["price_e8"], data["quantity_e8"], data["instrument_id"]
    tick, lot = rules.contracts.tick_e8[instruments], rules.contracts.lot_e8[instruments]
    admission.require(
        data["event_time"] <= ledger.settled_us(partition)[instruments],
        Reason.SETTLED_INSTRUMENT,
        lambda row: f"{names[row]} is settled",
    )
    admission.require_positive("price_e8", Reason.NON_POSITIVE_PRICE)
    admission.require_positive("quantity_e8", Reason.NON_POSITIVE_QUANTITY)
    for field in AMOUNTS:
        admission.require_range(field)
    admission.require(
        price % np.maximum(tick, 1) == 0,
        Reason.OFF_TICK_PRICE,
        lambda row: f"price_e8 {price[row]} is no multiple of {tick[row]}",
    )
    admission.require(
        quantity % np.maximum(lot, 1) == 0,
        Reason.OFF_LOT_QUANTITY,
        lambda row: f"quantity_e8 {quantity[row]} is no multiple of {lot[row]}",
    )


@compiled
def _judge(
    names: tuple[Asked, Asked],
    facts: tuple[Int64s, Int64s, Int64s, Int64s],
    numbers: tuple[Int64s, ...],
    contracts: tuple[Int64s, Int64s, Int64s, Int64s, Bools],
    found: tuple[Bools, Bools, Int64s],
) -> None:
    """Into `found` whether each row keeps the rules, and whether its value fits, bool[n]; and of
    those that do both the signed quantity, the value and the base, [3, n] of zeros.

    `names` are keys and accounts, `facts` times, instruments, fee assets and sides, `numbers` the
    `AMOUNTS` and the sizes of the `TEXTS`, `contracts` what is asked by instrument: settled from,
    tick, lot, multiplier, and whether it is inverse.
    """
    times, instruments, fee_assets, sides = facts
    price_e8, quantity_e8, fee_e8, margin_e8, account, fill, instrument, asset = numbers
    settled_us, tick_e8, lot_e8, multiplier_e8, inverse = contracts
    (keys, key_begins, key_ends), (source, begins, ends) = names
    keeps, fits, worth = found
    for row in range(len(times)):
        keeps[row], fits[row] = False, True
        at, key, end = index(begins[row]), index(key_begins[row]), index(ends[row])
        same = end - at == index(key_ends[row]) - key
        while same and at < end:
            same = source[at] == keys[key]
            at, key = at + index(1), key + index(1)
        number = instruments[row]
        if not same or number == EMPTY or fee_assets[row] == EMPTY:
            continue
        if min(account[row], fill[row], instrument[row], asset[row]) == 0:
            continue
        if not EARLIEST_US <= times[row] < LATEST_US or times[row] > settled_us[number]:
            continue
        price, quantity = price_e8[row], quantity_e8[row]
        if not (0 < price <= LIMIT_E8 and 0 < quantity <= LIMIT_E8):
            continue
        if not (-LIMIT_E8 <= fee_e8[row] <= LIMIT_E8 and -LIMIT_E8 <= margin_e8[row] <= LIMIT_E8):
            continue
        if price % max(tick_e8[number], 1) or quantity % max(lot_e8[number], 1):
            continue
        keeps[row] = True
        signed = -quantity if sides[row] == SELL else quantity
        base, base_fits = multiply(signed, multiplier_e8[number])
        if inverse[number]:
            value, value_fits = divide(base, price)
            value = -value
        else:
            value, value_fits = multiply(base, price)
        if base_fits and value_fits:
            worth[0, row], worth[1, row], worth[2, row] = signed, value, base
        else:
            fits[row] = False
