"""The published schema and the reader agree on what a document is."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streams.run.desk.book_file import BookFile
from streams.run.desk.fields import BookError
from tests.streams.run.desk.documents import (
    EXAMPLE,
    SCHEMA,
    SMALL,
    changed,
    documents,
    places,
    text,
)

VALIDATOR = Draft202012Validator(SCHEMA)
WRONG = ["", "abc", "-1", "1e3", "0.123456789", "99999999999", -1, 1e300, True, [], {}, "NaN"]


def valid(document: Any) -> bool:
    """As the schema sees it, with numbers as they are written."""
    return VALIDATOR.is_valid(json.loads(text(document), parse_float=Decimal))


def accepted(document: Any) -> bool:
    try:
        BookFile.of(text(document))
    except BookError:
        return False
    return True


def test_the_schema_is_one_and_the_example_of_the_docs_is_a_book() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert valid(json.loads(EXAMPLE.read_text("utf-8")))
    assert BookFile.of(EXAMPLE.read_text("utf-8")).buckets
    assert valid(SMALL)
    assert accepted(SMALL)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(document=documents())
def test_what_is_a_book_is_one_for_both(document: Any) -> None:
    BookFile.of(text(document))
    assert valid(document)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), document=documents())
def test_what_the_reader_accepts_the_schema_accepts(data: st.DataObject, document: Any) -> None:
    """Books with one value replaced, most of them broken."""
    path = data.draw(st.sampled_from(places(document)))
    broken = changed(path, data.draw(st.sampled_from(WRONG)), document)
    assert valid(broken) or not accepted(broken)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("colour",), "red"),
        (("accounts",), None),
        (("accounts",), {}),
        (("time",), None),
        (("time",), "2026-06-01 12:00"),
        (("assets", 0, "asset"), ""),
        (("assets", 0, "price"), 0),
        (("assets", 0, "price"), None),
        (("assets", 0, "price_instrument_id"), "BTC-USD"),
        (("assets", 1, "haircuts", 0), ["0"]),
        (("assets", 1, "borrow_weight"), "1.5"),
        (("instruments", 0, "strike"), "1"),
        (("instruments", 0, "kind"), "SWAP"),
        (("instruments", 1, "mark"), "0"),
        (("instruments", 1, "base"), None),
        (("instruments", 1, "tier_class"), ""),
        (("instruments", 1, "tiers"), []),
        (("instruments", 1, "tiers", 0, 1), "-0.1"),
        (("instruments", 1, "volatility"), "0.5"),
        (("instruments", 2, "expiry"), None),
        (("instruments", 2, "option_type"), "call"),
        (("instruments", 2, "volatility"), "0"),
        (("instruments", 2, "mark"), "-1"),
        (("accounts", 0, "mode"), "HEDGE"),
        (("accounts", 0, "balances", "USD"), "1,000"),
        (("accounts", 0, "balances", "USD"), "0.000000001"),
        (("accounts", 0, "positions", 0, "quantity"), 0),
        (("accounts", 0, "positions", 0, "quantity"), "ten"),
        (("accounts", 0, "positions", 0, "cost"), "1"),
        (("accounts", 0, "positions", 0, "entry_price"), None),
        (("accounts", 0, "positions", 0, "collateral"), {"USD": "1"}),
        (("accounts", 0, "positions", 0, "bucket"), "PORTFOLIO"),
        (("accounts", 0, "orders", 0, "quantity"), "-1"),
        (("accounts", 0, "orders", 0, "price"), "1"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else str(value),
)
def test_both_refuse(path: tuple[str | int, ...], value: Any) -> None:
    broken = changed(path, value)
    assert not valid(broken)
    assert not accepted(broken)
