"""Rows of a history written by hand, at seconds after a midnight."""

from typing import Any

from sinks.store import Store

T0 = 1_760_140_800  # 2025-10-11 00:00:00 UTC


def at(seconds: float) -> str:
    return f"fromUnixTimestamp64Micro({int((T0 + seconds) * 1_000_000)}, 'UTC')"


def put(store: Store, table: str, **values: Any) -> None:
    """A row; strings that call a function are SQL."""

    def sql(value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, str) and not value.startswith("from"):
            return f"'{value}'"
        return str(value)

    columns = ", ".join(f"`{name.replace('__', '.')}`" for name in values)
    store.create(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(map(sql, values.values()))})")


def fill(store: Store, second: float, account: str, side: str, **values: Any) -> None:
    row = {
        "instrument_id": "BTC-PERP", "quantity": 1, "price": 100, "margin_mode": "CROSS",
        "liquidation_id": None,
    }  # fmt: skip
    put(
        store, "fills", event_time=at(second), account_id=account, side=side, **{**row, **values}
    )  # fmt: skip
