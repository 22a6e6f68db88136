"""The exchange's own record of positions and collateral, in exact integers.

Positions are exact: they are what reduce-only means. Balances are the exchange's estimate, because
penalties and takeovers happen in the pipeline and are learnt of from its transfers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.units import E8, PPM
from streams.market.events import CROSS
from streams.market.listings import Catalogue, Listing


@dataclass(slots=True)
class Holding:
    """A position: signed quantity, and cost = sum of quantity x unit value at each fill."""

    quantity_e8: int = 0
    cost_e8: int = 0


@dataclass(slots=True)
class Account:
    """Balances by (bucket, asset), positions by (bucket, instrument), buckets taken over."""

    balances_e8: dict[tuple[str, str], int] = field(default_factory=dict)
    holdings: dict[tuple[str, str], Holding] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)

    def add(self, bucket: str, asset: str, amount_e8: int) -> None:
        key = (bucket, asset)
        self.balances_e8[key] = self.balances_e8.get(key, 0) + amount_e8


@dataclass(frozen=True, slots=True)
class Booking:
    """One side of a trade: `quantity_e8` signed, `isolated_margin_e8` from cross to bucket."""

    account_id: str
    bucket: str
    quantity_e8: int
    price_e8: int
    fee_e8: int
    isolated_margin_e8: int = 0


class Books:
    """All accounts; `marks_e8` is the exchange's live table of marks, read and never written."""

    def __init__(self, catalogue: Catalogue, marks_e8: Mapping[str, int]) -> None:
        self._catalogue = catalogue
        self._marks_e8 = marks_e8
        self._accounts: dict[str, Account] = {}

    def account(self, account_id: str) -> Account:
        found = self._accounts.get(account_id)
        if found is None:
            found = self._accounts[account_id] = Account()
        return found

    def quantity_e8(self, account_id: str, bucket: str, instrument_id: str) -> int:
        """Signed contracts held; 0 where none are."""
        holding = self.account(account_id).holdings.get((bucket, instrument_id))
        return holding.quantity_e8 if holding else 0

    def book(self, listing: Listing, side: Booking) -> None:
        """Add one side of a trade: position, fee from the cross pool, margin into the bucket."""
        account = self.account(side.account_id)
        key = (side.bucket, listing.instrument_id)
        holding = account.holdings.setdefault(key, Holding())
        holding.quantity_e8 += side.quantity_e8
        holding.cost_e8 += listing.value_e8(side.quantity_e8, side.price_e8)
        asset = listing.settlement_asset
        if side.fee_e8:
            account.add(CROSS, asset, -side.fee_e8)
        if side.isolated_margin_e8:
            account.add(CROSS, asset, -side.isolated_margin_e8)
            account.add(side.bucket, asset, side.isolated_margin_e8)
        self._settle_closed(account, key, listing)

    def drop(self, account_id: str, bucket: str, instrument_id: str | None) -> None:
        """The insurance fund holds it now: forget the position, or the whole bucket; no trading."""
        account = self.account(account_id)
        account.stopped.add(bucket)
        for key in [key for key in account.holdings if key[0] == bucket]:
            if instrument_id is None or key[1] == instrument_id:
                del account.holdings[key]
        if not any(key[0] == bucket for key in account.holdings):
            for key in [key for key in account.balances_e8 if key[0] == bucket]:
                del account.balances_e8[key]

    def transfer(self, leg: Mapping[str, Any]) -> None:
        """Book a leg that moved collateral or contracts of an account that trades here."""
        account = self._accounts.get(leg["account_id"])
        if account is None:
            return
        if leg["asset"] in self._catalogue.assets and leg["amount_e8"]:
            account.add(leg["bucket"], leg["asset"], leg["amount_e8"])
        listing = self._catalogue.listings.get(leg["instrument_id"] or "")
        if listing is not None and (leg["quantity_e8"] or leg["cost_e8"]):
            key = (leg["bucket"], listing.instrument_id)
            holding = account.holdings.setdefault(key, Holding())
            holding.quantity_e8 += leg["quantity_e8"]
            holding.cost_e8 += leg["cost_e8"]
            self._settle_closed(account, key, listing)

    def pay_funding(self, listing: Listing, rate: float, mark_e8: int) -> None:
        """Longs pay shorts `rate` of their notional, from the bucket of the position."""
        rate_e8 = round(rate * E8)
        for account in self._accounts.values():
            for (bucket, instrument_id), holding in account.holdings.items():
                if instrument_id == listing.instrument_id:
                    notional_e8 = abs(listing.value_e8(holding.quantity_e8, mark_e8))
                    owed_e8 = notional_e8 * rate_e8 // E8
                    sign = 1 if holding.quantity_e8 > 0 else -1
                    account.add(bucket, listing.settlement_asset, -sign * owed_e8)

    def settle(self, listing: Listing, price_e8: int) -> None:
        """Every position of a listing ends at this price: it is worth that, less its cost."""
        for account in self._accounts.values():
            for key in [key for key in account.holdings if key[1] == listing.instrument_id]:
                holding = account.holdings.pop(key)
                profit_e8 = listing.value_e8(holding.quantity_e8, price_e8) - holding.cost_e8
                account.add(key[0], listing.settlement_asset, profit_e8)

    def bucket_value_e8(self, account_id: str, listing: Listing) -> int:
        """What an isolated bucket is worth in its settlement asset, at the present mark."""
        account, bucket = self.account(account_id), listing.instrument_id
        worth = account.balances_e8.get((bucket, listing.settlement_asset), 0)
        holding = account.holdings.get((bucket, bucket))
        return worth + (self._profit_e8(listing, holding) if holding else 0)

    def equity_usd(self, account_id: str, bucket: str) -> float:
        """Estimated equity of a bucket, collateral after its first haircut."""
        account, total = self.account(account_id), 0.0
        for (each, asset), amount_e8 in account.balances_e8.items():
            if each == bucket:
                haircut = self._catalogue.assets[asset].haircuts[0][1] / PPM
                weight = 1.0 - haircut if amount_e8 > 0 else 1.0
                total += amount_e8 * self._asset_usd(asset) * weight
        for listing, holding in self.positions(account_id, bucket):
            profit_e8 = self._profit_e8(listing, holding)
            total += profit_e8 * self._asset_usd(listing.settlement_asset)
        return total / E8

    def notional_usd(self, account_id: str, bucket: str) -> float:
        """Gross notional of a bucket's positions."""
        return sum(
            abs(holding.quantity_e8)
            / E8
            * listing.contract_usd(self._marks_e8[listing.instrument_id])
            for listing, holding in self.positions(account_id, bucket)
        )

    def positions(self, account_id: str, bucket: str) -> Iterator[tuple[Listing, Holding]]:
        for (each, instrument_id), holding in self.account(account_id).holdings.items():
            if each == bucket:
                yield self._catalogue.listings[instrument_id], holding

    def _profit_e8(self, listing: Listing, holding: Holding) -> int:
        mark_e8 = self._marks_e8[listing.instrument_id]
        return listing.value_e8(holding.quantity_e8, mark_e8) - holding.cost_e8

    def _asset_usd(self, asset: str) -> float:
        return self._catalogue.asset_price_e8(asset, self._marks_e8) / E8

    def _settle_closed(self, account: Account, key: tuple[str, str], listing: Listing) -> None:
        holding = account.holdings[key]
        if holding.quantity_e8 == 0:
            account.add(key[0], listing.settlement_asset, -holding.cost_e8)
            del account.holdings[key]
