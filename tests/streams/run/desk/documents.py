"""Documents for tests: the one of the docs, a small one, and random ones."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

DOCS = Path(__file__).parents[4] / "docs"
EXAMPLE = DOCS / "examples" / "book.json"
SCHEMA = json.loads((DOCS / "book.schema.json").read_text("utf-8"))
Path_ = tuple[str | int, ...]

SMALL: dict[str, Any] = {
    "time": "2026-06-01T12:00:00Z",
    "assets": [
        {"asset": "USD", "price": "1"},
        {"asset": "BTC", "price_instrument_id": "BTC-USD", "haircuts": [["0", "0.1"]]},
    ],
    "instruments": [
        {
            "instrument_id": "BTC-USD",
            "kind": "SPOT",
            "base": "BTC",
            "settlement_asset": "USD",
            "mark": "60000",
        },
        {
            "instrument_id": "BTC-PERP",
            "kind": "LINEAR_PERP",
            "base": "BTC",
            "settlement_asset": "USD",
            "underlying": "BTC-USD",
            "mark": "60000",
            "tiers": [["0", "0.02", "0.01"]],
        },
        {
            "instrument_id": "BTC-C",
            "kind": "OPTION",
            "base": "BTC",
            "settlement_asset": "USD",
            "underlying": "BTC-USD",
            "strike": "60000",
            "expiry": "2026-06-26T08:00:00Z",
            "option_type": "CALL",
            "mark": "3000",
            "volatility": "0.5",
        },
    ],
    "accounts": [
        {
            "account_id": "anna",
            "mode": "CROSS",
            "balances": {"USD": "5000"},
            "positions": [{"instrument_id": "BTC-PERP", "quantity": "1", "entry_price": "59000"}],
            "orders": [{"instrument_id": "BTC-PERP", "side": "BUY", "quantity": "0.5"}],
        }
    ],
}


def text(document: Any) -> str:
    return json.dumps(document)


def changed(path: Path_, value: Any, document: Any = None) -> Any:
    """The small document, or another, with one value replaced, added, or (None) taken away."""
    result = copy.deepcopy(SMALL if document is None else document)
    place = result
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    elif isinstance(place, list) and path[-1] == len(place):
        place.append(value)
    else:
        place[path[-1]] = value
    return result


def numbers(low: int, high: int, places: int) -> st.SearchStrategy[Any]:
    """Decimals as text or as JSON numbers, `low` to `high` in units of the last decimal."""
    exact = st.integers(low, high).map(lambda units: f"{units / 10**places:.{places}f}")
    return st.one_of(
        exact, exact.map(float), st.integers(-(-low // 10**places), high // 10**places)
    )


POSITIVE = numbers(1, 10**9, 4)
RATES = numbers(0, 10**4, 4)
AMOUNTS = numbers(-(10**9), 10**9, 4)
NAMES = st.sampled_from(["BTC", "ETH", "\u20bf uro"])


@st.composite
def instruments(draw: st.DrawFn, name: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(["LINEAR_PERP", "INVERSE_PERP", "LINEAR_FUTURE", "OPTION", "SPOT"]))
    made: dict[str, Any] = {
        "instrument_id": name,
        "kind": kind,
        "base": draw(NAMES),
        "settlement_asset": draw(st.sampled_from(["USD", "BTC"])),
        "mark": draw(POSITIVE),
    }
    optional: dict[str, Any] = {"index": POSITIVE, "multiplier": POSITIVE}
    if kind == "OPTION":
        made |= {"strike": draw(POSITIVE), "option_type": draw(st.sampled_from(["CALL", "PUT"]))}
        made |= {"expiry": "2027-01-01T08:00:00Z", "underlying": "SPOT"}
        optional |= {"volatility": POSITIVE, "rate": RATES}
    elif kind != "SPOT":
        floors = draw(st.lists(st.integers(1, 10**6), max_size=2, unique=True).map(sorted))
        made["tiers"] = [
            [str(floor), f"0.{level + 2}", f"0.{level + 1}"]
            for level, floor in enumerate([0, *floors])
        ]
        optional |= {"margin_scalar": RATES, "open_interest": POSITIVE, "spot_range": RATES}
        optional |= {"underlying": st.just("SPOT"), "tier_class": st.just("default")}
    if kind == "LINEAR_FUTURE":
        made["expiry"] = "2027-01-01T08:00:00.5Z"
    return made | draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def accounts(draw: st.DrawFn, name: str, tradable: list[str]) -> dict[str, Any]:
    mode = draw(st.sampled_from(["CROSS", "ISOLATED", "PORTFOLIO"]))
    balances = st.dictionaries(st.sampled_from(["USD", "BTC"]), AMOUNTS)
    made: dict[str, Any] = {"account_id": name, "mode": mode}
    made |= draw(st.fixed_dictionaries({}, optional={"balances": balances}))
    place = st.fixed_dictionaries({}, optional={"bucket": st.sampled_from(["CROSS", "ISOLATED"])})
    if not tradable:
        return made
    for _ in range(draw(st.integers(0, 3))):
        one = {"instrument_id": draw(st.sampled_from(tradable)), **draw(place)}
        if draw(st.booleans()):
            side = draw(st.sampled_from(["BUY", "SELL"]))
            order = one | {"side": side, "quantity": draw(POSITIVE)}
            made.setdefault("orders", []).append(order)
            continue
        one |= {"quantity": draw(numbers(1, 10**6, 3))}
        one |= {"cost": draw(AMOUNTS)} if draw(st.booleans()) else {"entry_price": "100.5"}
        default = "ISOLATED" if mode == "ISOLATED" else "CROSS"
        if one.get("bucket", default) == "ISOLATED":
            one |= draw(st.fixed_dictionaries({}, optional={"collateral": balances}))
        made.setdefault("positions", []).append(one)
    return made


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents that the reader accepts."""
    spot = {"instrument_id": "SPOT", "kind": "SPOT", "base": "BTC", "settlement_asset": "USD"}
    listed = [spot | {"mark": draw(POSITIVE)}]
    listed += [draw(instruments(f"I{n}")) for n in range(draw(st.integers(0, 4)))]
    tradable = [one["instrument_id"] for one in listed if one["kind"] != "SPOT"]
    haircuts = st.just([["0", "0.05"], [1000, 0.25]])
    rest = {"haircuts": haircuts, "borrow_weight": RATES, "slow_price": POSITIVE}
    coin = {"asset": "BTC", "price_instrument_id": "SPOT"}
    made = {
        "time": "2026-06-01T12:00:00Z",
        "assets": [
            {"asset": "USD", "price": 1},
            coin | draw(st.fixed_dictionaries({}, optional=rest)),
        ],
        "instruments": listed,
        "accounts": [draw(accounts(f"A{n}", tradable)) for n in range(draw(st.integers(0, 3)))],
    }
    moves = st.fixed_dictionaries({"SPOT": st.lists(numbers(-9_999, 9_999, 4), max_size=3)})
    optional = {"description": NAMES, "profile": NAMES, "daily_moves": moves}
    return made | draw(st.fixed_dictionaries({}, optional=optional))


def places(document: Any, here: Path_ = ()) -> list[Path_]:
    """The paths of all values but the document itself."""
    members = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    found: list[Path_] = []
    for key, value in members:
        found += [(*here, key), *places(value, (*here, key))]
    return found
