"""What accounts do of their own accord: open, add, reduce, close, withdraw, come back."""

import random
from collections.abc import Mapping
from itertools import accumulate

from schemas.units import E8
from streams.market.books import Books, Holding
from streams.market.depth import HALF_SPREAD
from streams.market.events import CROSS, Cashier, Event
from streams.market.exact import ceil_to, floor_to
from streams.market.listings import VALUATION_ASSET, Catalogue, Listing
from streams.market.population import Population, Trader
from streams.market.tape import TAKER_FEE_PPM, Tape, Trade

REDUCE_CHANCE = 0.45
CLOSE_CHANCE = 0.5
"""Of the reductions, those that close the whole position."""
SPARE = 0.9
"""An account uses this part of what the initial margin would allow."""
SMALLEST_TRADE_USD = 10.0
BROKE_SHARE = 0.05
RETURN_CHANCE = 0.05
ISOLATED_CUSHION = 1.05
FEE_ROOM = 1 + 2 * TAKER_FEE_PPM / 1e6 * 100
"""Collateral kept for fees at the highest leverage, as a multiple of the margin."""


class Flow:
    """Draws who trades and what; every trade is with a market maker at mark -+ half spread."""

    def __init__(
        self,
        catalogue: Catalogue,
        population: Population,
        *,
        books: Books,
        tape: Tape,
        cashier: Cashier,
        marks_e8: Mapping[str, int],
        seed: int,
    ) -> None:
        self._catalogue = catalogue
        self._traders = population.traders
        self._activity = list(accumulate(each.activity for each in population.traders))
        self._makers = population.makers
        self._books = books
        self._tape = tape
        self._cashier = cashier
        self._marks_e8 = marks_e8
        self._rng = random.Random(f"{seed}/flow")
        self._arrivals = list(population.traders)
        self._rng.shuffle(self._arrivals)

    def arrivals(self, now_us: int, count: int) -> list[Event]:
        """The next accounts that open their first positions."""
        events: list[Event] = []
        for _ in range(min(count, len(self._arrivals))):
            trader = self._arrivals.pop()
            for _ in range(1 if trader.isolated else self._rng.randint(1, 3)):
                events += self._open(now_us, trader)
        return events

    def trades(self, now_us: int, count: int) -> list[Event]:
        """What `count` accounts, drawn by activity, do now: some of them nothing."""
        events: list[Event] = []
        if self._traders:
            drawn = self._rng.choices(self._traders, cum_weights=self._activity, k=count)
            for trader in drawn:
                events += self._act(now_us, trader)
        return events

    def _act(self, now_us: int, trader: Trader) -> list[Event]:
        rng = self._rng
        held = self._held(trader)
        if rng.random() < trader.withdraws:
            return self._withdraw(now_us, trader)
        if held and rng.random() < REDUCE_CHANCE:
            return self._reduce(now_us, trader, *rng.choice(held))
        return self._open(now_us, trader)

    def _held(self, trader: Trader) -> list[tuple[str, Listing, Holding]]:
        """The positions the account may still trade, with their buckets."""
        account = self._books.account(trader.account_id)
        listings = self._catalogue.listings
        return [
            (bucket, listings[instrument_id], holding)
            for (bucket, instrument_id), holding in account.holdings.items()
            if bucket not in account.stopped
        ]

    def _open(self, now_us: int, trader: Trader) -> list[Event]:
        priced = [each for each in trader.favourites if each in self._marks_e8]
        if not priced:
            return []
        place = min(int(self._rng.expovariate(1.0)), len(priced) - 1)
        listing = self._catalogue.listings[priced[place]]
        bucket = listing.instrument_id if trader.isolated else CROSS
        if bucket in self._books.account(trader.account_id).stopped:
            return []
        eagerness = self._rng.uniform(0.3, 1.0)
        if trader.isolated:
            return self._open_isolated(now_us, trader, listing, eagerness)
        return self._open_cross(now_us, trader, listing, eagerness)

    def _open_cross(
        self, now_us: int, trader: Trader, listing: Listing, eagerness: float
    ) -> list[Event]:
        equity = self._books.equity_usd(trader.account_id, CROSS)
        if equity < BROKE_SHARE * trader.wealth_usd:
            return self._come_back(now_us, trader)
        present = self._books.notional_usd(trader.account_id, CROSS)
        target = equity * trader.leverage * eagerness
        most = equity * SPARE / (listing.initial_rate(target) * FEE_ROOM)
        return self._print(now_us, trader, listing, CROSS, usd=min(target, most) - present)

    def _open_isolated(
        self, now_us: int, trader: Trader, listing: Listing, eagerness: float
    ) -> list[Event]:
        account = self._books.account(trader.account_id)
        asset = listing.settlement_asset
        free_e8 = account.balances_e8.get((CROSS, asset), 0)
        price = self._catalogue.asset_price_e8(asset, self._marks_e8) / E8
        if free_e8 * price / E8 < BROKE_SHARE * trader.mix.get(asset, 0.0) * trader.wealth_usd:
            return self._come_back(now_us, trader)
        margin_e8 = int(free_e8 * SPARE * eagerness / FEE_ROOM)
        if margin_e8 <= 0:
            return []
        margin_usd = margin_e8 / E8 * price / ISOLATED_CUSHION
        wanted = margin_usd * trader.leverage
        held_e8 = self._books.quantity_e8(
            trader.account_id, listing.instrument_id, listing.instrument_id
        )
        present = abs(held_e8) / E8 * listing.contract_usd(self._marks_e8[listing.instrument_id])
        usd = min(wanted, margin_usd / listing.initial_rate(wanted + present))
        return self._print(
            now_us, trader, listing, listing.instrument_id, usd=usd, margin_e8=margin_e8
        )

    def _print(
        self,
        now_us: int,
        trader: Trader,
        listing: Listing,
        bucket: str,
        *,
        usd: float,
        margin_e8: int = 0,
    ) -> list[Event]:
        """Add to the position where there is one, else open in the account's direction."""
        mark_e8 = self._marks_e8[listing.instrument_id]
        contract_usd = listing.contract_usd(mark_e8)
        quantity_e8 = floor_to(int(max(usd, 0.0) / contract_usd * E8), listing.lot_e8)
        if quantity_e8 <= 0 or quantity_e8 / E8 * contract_usd < SMALLEST_TRADE_USD:
            return []
        held_e8 = self._books.quantity_e8(trader.account_id, bucket, listing.instrument_id)
        buys = held_e8 > 0 if held_e8 else self._rng.random() < trader.long_bias
        return list(
            self._tape.print(
                now_us,
                listing,
                Trade(
                    account_id=trader.account_id,
                    maker_id=self._rng.choice(self._makers),
                    bucket=bucket,
                    buys=buys,
                    quantity_e8=quantity_e8,
                    price_e8=_quote(listing, mark_e8, buys=buys),
                    isolated_margin_e8=margin_e8,
                ),
            )
        )

    def _reduce(
        self, now_us: int, trader: Trader, bucket: str, listing: Listing, holding: Holding
    ) -> list[Event]:
        held_e8 = abs(holding.quantity_e8)
        share = 1.0 if self._rng.random() < CLOSE_CHANCE else self._rng.uniform(0.2, 0.8)
        quantity_e8 = floor_to(int(held_e8 * share) if share < 1 else held_e8, listing.lot_e8)
        if quantity_e8 <= 0:
            return []
        buys = holding.quantity_e8 < 0
        price_e8 = _quote(listing, self._marks_e8[listing.instrument_id], buys=buys)
        back_e8 = 0
        if bucket != CROSS and quantity_e8 == held_e8:
            back_e8 = self._returnable_e8(trader.account_id, listing, price_e8)
        return list(
            self._tape.print(
                now_us,
                listing,
                Trade(
                    account_id=trader.account_id,
                    maker_id=self._rng.choice(self._makers),
                    bucket=bucket,
                    buys=buys,
                    quantity_e8=quantity_e8,
                    price_e8=price_e8,
                    isolated_margin_e8=-back_e8,
                ),
            )
        )

    def _returnable_e8(self, account_id: str, listing: Listing, price_e8: int) -> int:
        """What is surely left of an isolated bucket once it is closed at this price."""
        bucket = listing.instrument_id
        worth_e8 = self._books.bucket_value_e8(account_id, listing)
        held_e8 = self._books.quantity_e8(account_id, bucket, bucket)
        mark_e8 = self._marks_e8[bucket]
        slip_e8 = listing.value_e8(held_e8, price_e8) - listing.value_e8(held_e8, mark_e8)
        return max(worth_e8 + slip_e8, 0) * 99 // 100

    def _withdraw(self, now_us: int, trader: Trader) -> list[Event]:
        """Part of what the account's leverage leaves free, in the valuation currency."""
        account = self._books.account(trader.account_id)
        free = self._books.equity_usd(trader.account_id, CROSS)
        free -= 1.5 * self._books.notional_usd(trader.account_id, CROSS) / trader.leverage
        held_e8 = account.balances_e8.get((CROSS, VALUATION_ASSET), 0)
        amount_e8 = min(int(free * 0.5 * E8), held_e8 // 2)
        if amount_e8 < E8 or CROSS in account.stopped:
            return []
        account.add(CROSS, VALUATION_ASSET, -amount_e8)
        return [self._cashier.withdrawal(now_us, trader.account_id, VALUATION_ASSET, amount_e8)]

    def _come_back(self, now_us: int, trader: Trader) -> list[Event]:
        """A broke account sometimes brings half of what it once had."""
        if self._rng.random() >= RETURN_CHANCE:
            return []
        amount_e8 = int(trader.wealth_usd * 0.5 * E8)
        self._books.account(trader.account_id).add(CROSS, VALUATION_ASSET, amount_e8)
        return [self._cashier.deposit(now_us, trader.account_id, VALUATION_ASSET, amount_e8)]


def _quote(listing: Listing, mark_e8: int, *, buys: bool) -> int:
    """The market makers' price for an order that takes."""
    half_e8 = int(mark_e8 * HALF_SPREAD)
    if buys:
        return ceil_to(mark_e8 + half_e8, listing.tick_e8)
    return max(floor_to(mark_e8 - half_e8, listing.tick_e8), listing.tick_e8)
