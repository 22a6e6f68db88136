"""How far losses fell: what each stage of the liquidations took, from the topics alone."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from schemas.units import text
from streams.run.contract_values import ContractValues
from streams.run.deleveraged import Deleveraged

TOPICS = (
    "instruments", "fills", "liquidations", "transfers", "auctions", "deleveraging",
    "insurance-fund",
)  # fmt: skip
FUND = "@insurance:"

Record = Mapping[str, Any]


class Waterfall:
    """Counts and amounts by stage. `take` the records of `TOPICS`, those of `instruments` first;
    the order of the others does not matter."""

    def __init__(self) -> None:
        self._values = ContractValues()
        self._reduced: Counter[str] = Counter()
        self._reduced_usd = 0.0
        self._buckets: dict[tuple[str, str, int], int] = {}
        """Equity of every bucket that was taken over, by account, bucket and episode."""
        self._taken_over_usd = 0.0
        self._openings: dict[str, Record] = {}
        self._awards: list[Record] = []
        self._deleveraged = Deleveraged(self._values)
        self._returned: set[str] = set()
        self._shared_e8: Counter[str] = Counter()
        self._payers: set[str] = set()
        self._lowest_e8: dict[str, int] = {}

    def take(self, topic: str, record: Record) -> None:
        """A record of one of `TOPICS`."""
        if topic == "instruments":
            self._values.take(record)
        elif topic == "fills":
            self._fill(record)
        elif topic == "liquidations":
            self._order(record)
        elif topic == "transfers":
            self._leg(record)
        elif topic == "auctions":
            self._auction(record)
        elif topic == "deleveraging":
            self._deleveraged.take_request(record)
        else:
            asset, balance_e8 = record["asset"], record["balance_e8"]
            self._lowest_e8[asset] = min(self._lowest_e8.get(asset, balance_e8), balance_e8)

    def told(self) -> dict[str, Any]:
        """As JSON has it: amounts of an asset as text, sums over instruments in USD."""
        losses_e8 = [-equity_e8 for equity_e8 in self._buckets.values() if equity_e8 < 0]
        return {
            "reduced": {
                "orders": len(self._reduced),
                "fills": self._reduced.total(),
                "notional_usd": round(self._reduced_usd, 2),
            },
            "taken_over": {
                "buckets": len(self._buckets),
                "bankrupt": len(losses_e8),
                "notional_usd": round(self._taken_over_usd, 2),
                "loss": text(sum(losses_e8)),
            },
            "auctioned": self._auctioned(),
            "deleveraged": self._deleveraged.told(),
            "returned": len(self._returned),
            "socialised": {
                "payers": len(self._payers),
                "amounts": {asset: text(e8) for asset, e8 in self._shared_e8.items()},
            },
            "lowest_fund": {asset: text(e8) for asset, e8 in sorted(self._lowest_e8.items())},
        }

    def _fill(self, fill: Record) -> None:
        """Of the two sides of a liquidation's trade, the one that is liquidated."""
        order = fill["liquidation_id"]
        if order is not None and order.startswith(f"{fill['account_id']}/"):
            self._reduced[order] += 1
            self._reduced_usd += self._values.notional_usd(
                fill["instrument_id"], fill["quantity_e8"], fill["price_e8"]
            )

    def _order(self, record: Record) -> None:
        if record["action"] == "DELEVERAGE":
            self._deleveraged.take_order(record)
        if record["action"] != "TAKE_OVER":
            return
        key = (record["account_id"], record["bucket"], record["episode"])
        self._buckets.setdefault(key, record["equity_e8"])
        for used in record["marks"]:
            if used["instrument_id"] == record["instrument_id"]:
                self._taken_over_usd += self._values.notional_usd(
                    used["instrument_id"], record["quantity_e8"], used["mark_e8"]
                )

    def _leg(self, leg: Record) -> None:
        if leg["kind"] == "DELEVERAGE":
            self._deleveraged.take_leg(leg)
        elif leg["kind"] == "RETURN":
            self._returned.add(leg["transfer_id"])
        elif leg["kind"] == "SOCIALISED_LOSS":
            if leg["account_id"].startswith(FUND):
                self._shared_e8[leg["asset"]] += leg["amount_e8"]
            elif not leg["account_id"].startswith("@"):
                self._payers.add(leg["account_id"])

    def _auction(self, record: Record) -> None:
        if record["event"] == "OPENED":
            self._openings[record["auction_id"]] = record
        elif record["event"] == "AWARDED":
            self._awards.append(record)

    def _auctioned(self) -> dict[str, Any]:
        """The discount is what the fund got less than the opening price, over all awards."""
        notional = opening = 0.0
        for award in self._awards:
            name, quantity_e8 = award["instrument_id"], award["award_e8"]
            sums = [
                self._values.notional_usd(name, quantity_e8, price_e8)
                for price_e8 in (award["price_e8"], award["opening_price_e8"])
            ]
            notional, opening = notional + sums[0], opening + sums[1]
        lost = sum(map(self._lost_usd, self._awards))
        return {
            "auctions": len(self._openings),
            "awards": len(self._awards),
            "bidders": len({award["bidder"] for award in self._awards}),
            "notional_usd": round(notional, 2),
            "discount_percent": round(100 * lost / opening, 3) if opening else None,
        }

    def _lost_usd(self, award: Record) -> float:
        name, quantity_e8 = award["instrument_id"], award["award_e8"]
        opening_e8, price_e8 = award["opening_price_e8"], award["price_e8"]
        lost_e8 = self._values.value_e8(name, quantity_e8, opening_e8)
        lost_e8 -= self._values.value_e8(name, quantity_e8, price_e8)
        return self._values.usd(name, lost_e8, price_e8)
