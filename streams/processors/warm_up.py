"""Loads the compiled kernels: the first decision must not wait for them."""

from collections.abc import Callable
from functools import partial

import numpy as np

from risk.compiled import AllShared
from risk.evaluation import Book, Kind, Market, OpenOrders, evaluate, liquidation_prices
from risk.holdings import Assets, Balances, Contracts, Positions, StepTable, Terms, Tiers
from risk.liquidation.liquidation_map import Triggers, liquidation_map
from risk.liquidation.sizing import best_of_each
from risk.liquidation.stages import Ladder, Watch
from risk.liquidation.stepping import step
from risk.profile import Profile
from schemas.block import Block, Int64s
from schemas.block_columns import gathered
from schemas.record_codec import encode as encode_record
from schemas.registry import record_schema
from schemas.units import E8, PPM
from streams.processors.encoding import encode
from streams.processors.margin import evaluate as evaluate_buckets
from streams.state.account_book import CROSS, AccountBook
from streams.state.apply_fills import apply_fills
from streams.state.changelog import pack
from streams.state.flat_rows import read_flat
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard
from streams.state.names import Names
from streams.state.open_orders import Orders
from streams.state.rules import Rules

START_US = 1_700_000_000_000_000
MONTH_US = 30 * 86_400 * 1_000_000
PERPETUAL, CALL, ANOTHER = 0, 1, 2


def warm_up(profile: Profile) -> None:
    """Evaluate a book as small and as large ones are: perpetuals of two underlyings, with an open
    order; a call and portfolios where the profile has rules for them. Open a book and lose it
    again, trade an inverse contract, hear prices, and write records, though none."""
    for work in works(profile):
        work()


def works(profile: Profile) -> list[Callable[[], None]]:
    """What `warm_up` does, each of which can be done alone: the longest to compile first."""
    held = [PERPETUAL, CALL, ANOTHER] if profile.options else [PERPETUAL, ANOTHER]
    kinds = (Kind.CROSS, Kind.PORTFOLIO) if profile.portfolio else (Kind.CROSS,)
    books = [partial(_evaluate, profile, held, kind) for kind in kinds]
    return [
        partial(_evaluate, profile, [PERPETUAL, ANOTHER], Kind.CROSS),
        *(_come_and_go, _tick, _write_none, _trade),
        *books,
        *(partial(_shared, book) for book in books),
    ]


def _shared(work: Callable[[], None]) -> None:
    with AllShared():
        work()


def _write_none() -> None:
    encode(gathered((), record_schema("margin_state"), spans=True))


def _come_and_go() -> None:
    """More accounts than a new book has room for, then none."""
    book, many = AccountBook(), 200
    accounts = book.account_rows([str(number) for number in range(many)], 0)
    buckets = book.bucket_rows(accounts, np.full(many, CROSS))
    book.position_rows(buckets, np.full(many, PERPETUAL))
    book.held.of(buckets[:1])
    hashed, bids = np.arange(many, dtype=np.uint64), np.zeros(many, np.bool_)
    instruments, signed_e8 = np.full(many, PERPETUAL), np.full(many, E8)
    book.orders.put(Orders(accounts, hashed, buckets, instruments, signed_e8, bids))
    book.drop_partition(0)


def _trade() -> None:
    """One account trades, is written to the changelog and evaluated; it has nothing to close, and
    no map is made of it."""
    ledger, asset = Ledger(Rules(), 1), "USD"
    contract = {
        "event_time": START_US, "instrument_id": "X", "kind": "INVERSE_PERP", "status": "ACTIVE",
        "base": asset, "quote": asset, "settlement_asset": asset, "underlying": None,
        "multiplier_e8": E8, "tick_e8": 1, "lot_e8": 1, "option_type": None, "strike_e8": None,
        "expiry": None,
    }  # fmt: skip
    ledger.rules.take_instrument(contract)
    fill = {
        "event_time": START_US, "account_id": "a", "instrument_id": "X", "price_e8": E8,
        "quantity_e8": E8, "fee_e8": 1, "fee_asset": asset, "liquidity": "TAKER",
        "margin_mode": "CROSS", "isolated_margin_e8": 0, "liquidation_id": None,
    }  # fmt: skip
    sides = ("BUY", "SELL")
    values = [encode_record("fill", fill | {"fill_id": side, "side": side}) for side in sides]
    offsets = np.arange(len(values))
    block = Block("fills", 0, offsets, [b"a"] * len(values), values, offsets)
    apply_fills(ledger, block, read_flat(block, "fill").columns)
    pack(ledger.book, ledger.book.accounts.live_rows(), Names(ledger.rules, 1))
    board = MarkBoard()
    board.resize(len(ledger.rules.instruments))
    evaluate_buckets(ledger, board, ledger.book.buckets.live_rows())
    none, nobody, stages = np.empty(0), np.zeros(0, np.bool_), np.zeros(0, np.int8)
    margins, calls = (_ints(), _ints(), nobody, nobody, _ints()), (_ints(), nobody)
    step(Watch(stages, *margins, *calls, _ints(), _ints(), stages), START_US, Ladder())
    best_of_each(_ints(), nobody, none, _ints(), _ints())
    liquidation_map(_ints(), nobody, _ints(), Triggers(none, none))


def _tick() -> None:
    """Two sources tell the price of an instrument."""
    board = MarkBoard()
    board.resize(1)
    sources = ("a", "b")
    tick = {"event_time": START_US, "instrument_id": "X", "sequence": 0, "mark_e8": E8,
            "index_e8": E8}  # fmt: skip
    values = [encode_record("mark", tick | {"source": source}) for source in sources]
    offsets = np.arange(len(values))
    block = Block("prices", 0, offsets, [b"X"] * len(values), values, offsets)
    board.take(np.zeros(len(values), np.int64), read_flat(block, "mark").columns, "", offsets)


def _evaluate(profile: Profile, held: list[int], kind: Kind) -> None:
    """Two buckets with these positions each, the later one first, as a worker's rows may be."""
    instrument = _ints(*held, *held)
    bucket, each = np.repeat(_ints(1, 0), len(held)), np.full(len(instrument), E8)
    positions = Positions(bucket, instrument, each, each)
    orders = OpenOrders(_ints(0), _ints(PERPETUAL), _ints(E8), _ints(E8), _ints(2))
    balances = Balances(_ints(1, 0), _ints(0, 0), _ints(E8, E8))
    book = Book(positions, balances, _ints(kind, kind), orders)
    volatility = np.array([np.nan, 0.5, np.nan])
    market = Market(_ints(100 * E8, E8, 100 * E8), _ints(0, 0, 0), volatility, 0)
    contracts = Contracts(
        np.zeros(3, np.bool_), _ints(E8, E8, E8), _ints(0, 0, 0), _ints(1, 1, 1), _ints(1, 1, 1)
    )
    tiers = Tiers.of([[(0, 10_000, 5_000)], [], [(0, 10_000, 5_000)]], [PPM, PPM, PPM])
    assets = Assets(_ints(E8), _ints(0), StepTable.of([[]]))
    rules = profile.rules(contracts, tiers, assets)
    terms = Terms(
        _ints(PERPETUAL, PERPETUAL, ANOTHER), _ints(0, 1, 0), _ints(0, 100 * E8, 0),
        _ints(0, MONTH_US, 0),
    )  # fmt: skip
    evaluation = evaluate(book, market, rules, terms, profile)
    liquidation_prices(book, market, rules, terms, profile, evaluation=evaluation, searched=False)


def _ints(*values: int) -> Int64s:
    return np.array(values, np.int64)
