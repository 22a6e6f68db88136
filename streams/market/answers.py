"""How accounts answer a margin call: some deposit, after a human delay, most do not."""

import heapq
import random
from collections.abc import Mapping
from typing import Any

from schemas.units import E8
from streams.market.books import Books
from streams.market.events import CROSS, Cashier, Event
from streams.market.listings import VALUATION_ASSET, Catalogue
from streams.market.population import Trader

QUICKEST_S, SLOWEST_S = 1.0, 20.0
LEAST_SHARE, MOST_SHARE = 1.0, 1.5
"""Deposits are the asked top-up or somewhat more."""


class Answers:
    """Deposits on their way; what an account does follows from the call's id alone."""

    def __init__(
        self,
        catalogue: Catalogue,
        traders: tuple[Trader, ...],
        *,
        books: Books,
        cashier: Cashier,
        marks_e8: Mapping[str, int],
        seed: int,
    ) -> None:
        self._catalogue = catalogue
        self._traders = {trader.account_id: trader for trader in traders}
        self._books = books
        self._cashier = cashier
        self._marks_e8 = marks_e8
        self._seed = seed
        self._seen: set[str] = set()
        self._due: list[tuple[int, str, str, str, int]] = []

    def hear(self, call: Mapping[str, Any], now_us: int) -> None:
        """Take note of a CALL; other levels, repeats and unknown accounts need no answer."""
        trader = self._traders.get(call["account_id"])
        call_id = call["call_id"]
        if call["level"] != "CALL" or trader is None or call_id in self._seen:
            return
        self._seen.add(call_id)
        rng = random.Random(f"{self._seed}/{call_id}")
        if rng.random() >= trader.answers_calls or call["top_up_e8"] <= 0:
            return
        due_us = now_us + round(rng.uniform(QUICKEST_S, SLOWEST_S) * 1e6)
        amount_e8 = int(call["top_up_e8"] * rng.uniform(LEAST_SHARE, MOST_SHARE))
        amount_e8 = min(amount_e8, round(trader.wealth_usd * E8))
        heapq.heappush(self._due, (due_us, call_id, trader.account_id, call["bucket"], amount_e8))

    def due(self, now_us: int) -> list[Event]:
        """The deposits that arrive by now; into an isolated bucket by way of the cross pool."""
        events: list[Event] = []
        while self._due and self._due[0][0] <= now_us:
            _, _, account_id, bucket, amount_e8 = heapq.heappop(self._due)
            events += self._deposit(now_us, account_id, bucket, amount_e8)
        return events

    def _deposit(self, now_us: int, account_id: str, bucket: str, usd_e8: int) -> list[Event]:
        account = self._books.account(account_id)
        if bucket in account.stopped:
            return []
        listing = self._catalogue.listings.get(bucket)
        asset = listing.settlement_asset if listing else VALUATION_ASSET
        price_e8 = self._catalogue.asset_price_e8(asset, self._marks_e8)
        amount_e8 = usd_e8 * E8 // price_e8
        if amount_e8 <= 0:
            return []
        account.add(bucket if listing else CROSS, asset, amount_e8)
        events = [self._cashier.deposit(now_us, account_id, asset, amount_e8)]
        if listing:
            events.append(
                self._cashier.into_bucket(
                    now_us, account_id, asset, amount_e8, instrument_id=bucket
                )
            )
        return events
