"""Auctions of insurance funds: never more than is for sale, at the price of the moment, to bids."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.record_codec import decode
from schemas.units import text
from streams.audit.account import value_e8
from streams.audit.findings import Findings
from streams.audit.history import Partition
from streams.audit.outputs import Output
from streams.audit.reading import Log
from streams.audit.rulebook import Record, Rulebook
from streams.audit.transfers import Transfers

Bids = Mapping[str, Mapping[str, Record]]
"""Auction -> bid id -> its record."""


@dataclass(slots=True)
class _Auction:
    """An auction as far as it is told."""

    opened: Record
    sold_e8: int = 0
    closed: bool = False
    of_bids_e8: Counter[str] = field(default_factory=Counter)


class Auctions:
    """Checks the records of `auctions` beside the bids and the transfers."""

    def __init__(
        self, bids: Bids, transfers: Transfers, rules: Rulebook, findings: Findings
    ) -> None:
        self._transfers = transfers
        self._rules = rules
        self._findings = findings
        self._bids = bids
        self._auctions: dict[str, _Auction] = {}
        self._awarded: set[str] = set()

    def check(self, records: Iterable[Output], until_us: float) -> None:
        """All records in the order of the topic; transfers of before `until_us` must be there."""
        for _, _, record, _ in records:
            event, auction = record["event"], self._auctions.get(record["auction_id"])
            if event == "OPENED":
                self._open(record, auction)
            elif auction is None or auction.closed:
                self._say(record, f"{event.lower()} while it is not open")
            elif event == "AWARDED":
                self._award(record, auction, until_us)
            else:
                auction.closed = True
                self._best(record, auction)
        for identity, legs in self._transfers.items():
            if legs[0]["kind"] == "AUCTION" and identity not in self._awarded:
                self._findings.unjustified.append(
                    f"transfer {identity} (AUCTION) follows from no award"
                )

    def _open(self, record: Record, auction: _Auction | None) -> None:
        if auction is not None:
            self._say(record, "is opened twice")
        self._auctions[record["auction_id"]] = _Auction(record)
        given_e8 = record["opening_price_e8"] - record["floor_price_e8"]
        if record["quantity_e8"] == 0 or given_e8 * record["quantity_e8"] < 0:
            self._say(record, f"sells {text(record['quantity_e8'])} from "
                      f"{text(record['opening_price_e8'])} to "
                      f"{text(record['floor_price_e8'])}")  # fmt: skip

    def _award(self, record: Record, auction: _Auction, until_us: float) -> None:
        opened, award_e8 = auction.opened, record["award_e8"]
        auction.sold_e8 += award_e8
        if award_e8 * opened["quantity_e8"] <= 0 or abs(auction.sold_e8) > abs(
            opened["quantity_e8"]
        ):
            self._say(record, f"awards {text(auction.sold_e8)} of {text(opened['quantity_e8'])}")
        elif record["awarded_e8"] != auction.sold_e8:
            self._say(record, f"tells {text(record['awarded_e8'])} awarded so far, which are "
                      f"{text(auction.sold_e8)}")  # fmt: skip
        bid = self._bids.get(record["auction_id"], {}).get(record["bid_id"])
        if bid is None or bid["bidder"] != record["bidder"]:
            self._say(record, f"awards to {record['bidder']}, who has no bid {record['bid_id']}")
        else:
            self._price(record, auction, bid)
        self._paid(record, auction, until_us)

    def _price(self, record: Record, auction: _Auction, bid: Record) -> None:
        opened, price_e8 = auction.opened, record["price_e8"]
        better = 1 if opened["quantity_e8"] > 0 else -1
        auction.of_bids_e8[bid["bid_id"]] += abs(record["award_e8"])
        if auction.of_bids_e8[bid["bid_id"]] > bid["quantity_e8"]:
            self._say(record, f"awards more to bid {bid['bid_id']} than it asked for")
        if (bid["price_e8"] - price_e8) * better < 0:
            self._say(record, f"awards at {text(price_e8)}, bid {text(bid['price_e8'])}")
        if (price_e8 - opened["floor_price_e8"]) * better < 0:
            self._say(record, f"awards at {text(price_e8)}, beyond its floor")
        if opened["sealed"]:
            if record["event_time"] < opened["closes"] or price_e8 != bid["price_e8"]:
                self._say(record, "is sealed, and awards before its close or not at the bid")
        elif price_e8 != self._line(opened, record["event_time"]):
            self._say(record, f"awards at {text(price_e8)}, its price then is "
                      f"{text(self._line(opened, record['event_time']))}")  # fmt: skip

    def _best(self, record: Record, auction: _Auction) -> None:
        """Of a sealed auction no bid is left that is better than one that was awarded."""
        bids, got_e8 = self._bids.get(record["auction_id"], {}), auction.of_bids_e8
        better = 1 if auction.opened["quantity_e8"] > 0 else -1
        awarded = [bids[name]["price_e8"] * better for name in got_e8]
        for name, bid in bids.items() if auction.opened["sealed"] and awarded else ():
            short = got_e8[name] < bid["quantity_e8"]
            if short and bid["price_e8"] * better > min(awarded):
                self._say(record, f"passes over bid {name} at {text(bid['price_e8'])}")

    def _line(self, opened: Record, now_us: int) -> int:
        """The price of an open auction: from opening to floor in a line, on the seller's tick."""
        start_e8, end_e8 = opened["opening_price_e8"], opened["floor_price_e8"]
        whole_us = max(opened["closes"] - opened["event_time"], 1)
        passed_us = min(max(now_us - opened["event_time"], 0), whole_us)
        moved_e8 = abs(end_e8 - start_e8) * passed_us // whole_us
        price_e8 = start_e8 + (moved_e8 if end_e8 > start_e8 else -moved_e8)
        tick_e8 = max(self._rules.listings[opened["instrument_id"]][-1]["tick_e8"], 1)
        lower_e8 = price_e8 // tick_e8 * tick_e8
        up = opened["quantity_e8"] > 0 and lower_e8 < price_e8
        return int(max(lower_e8 + tick_e8 if up else lower_e8, tick_e8))

    def _paid(self, record: Record, auction: _Auction, until_us: float) -> None:
        """The transfer of an award moves just that, at that price, from the fund to the bidder."""
        left_e8 = abs(auction.opened["quantity_e8"] - auction.sold_e8)
        identity = f"{record['auction_id']}/{record['bid_id']}/{left_e8}"
        self._awarded.add(identity)
        legs = self._transfers.get(identity)
        if legs is None:
            if record["event_time"] < until_us:
                self._say(record, f"has no transfer {identity}")
            return
        contract = self._rules.contracts[record["instrument_id"]]
        cost_e8 = value_e8(contract, record["award_e8"], record["price_e8"])
        moved = {leg["account_id"]: (leg["quantity_e8"], leg["cost_e8"]) for leg in legs}
        wanted = {
            record["account_id"]: (-record["award_e8"], -cost_e8),
            record["bidder"]: (record["award_e8"], cost_e8),
        }
        if len(legs) == len(wanted) and moved != wanted:
            self._say(record, f"is not what transfer {identity} moves")

    def _say(self, record: Record, what: str) -> None:
        self._findings.unjustified.append(f"auction {record['auction_id']} {what}")


def bids_of(parts: Iterable[Partition], log: Log) -> Bids:
    """The bids that an auction took."""
    found: dict[str, dict[str, Record]] = defaultdict(dict)
    for part in parts:
        for entry in log.get(("auction-bids", part.number), ()):
            if entry.offset not in part.refused["auction-bids"]:
                record = decode(entry.value, "bid")[1]
                found[record["auction_id"]][record["bid_id"]] = record
    return found
