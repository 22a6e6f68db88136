"""The exchange's side of a liquidation: each order is filled, whole, at its limit."""

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.loader import Loader
from benchmarks.workload import USDT
from streams.market.events import FILLS, Event


class Desk:
    """Fills orders as they come; `flush` raises where a fill was not delivered."""

    def __init__(self, bootstrap: str) -> None:
        self._loader = Loader(bootstrap, linger_ms=0)

    def fill(self, orders: Sequence[dict[str, Any]]) -> None:
        now_us = time.time_ns() // 1_000
        records = [
            {
                "event_time": now_us,
                "account_id": order["account_id"],
                "fill_id": f"l-{order['liquidation_id']}",
                "instrument_id": order["instrument_id"],
                "side": order["side"],
                "price_e8": order["limit_price_e8"],
                "quantity_e8": order["quantity_e8"],
                "fee_e8": 0,
                "fee_asset": USDT,
                "liquidity": "TAKER",
                "margin_mode": "CROSS",
                "isolated_margin_e8": 0,
                "liquidation_id": order["liquidation_id"],
            }
            for order in orders
        ]
        self._loader.send(Event(FILLS, record["account_id"], record) for record in records)

    def flush(self) -> None:
        self._loader.flush()
