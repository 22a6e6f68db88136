"""What an insurance fund may do and must have done, told from the topics of a finished world."""

from collections import Counter, defaultdict
from typing import Any

from streams.processors.waterfall import PATIENCE, FundRules
from tests.reference.ledger import value_e8
from tests.simulation.log import Entry, home_of
from tests.simulation.reading import Record, Topics, applied_end, read
from tests.simulation.story import FUND, INSTRUMENTS, S_US, Story

Told = list[tuple[Entry, Record]]
SLACK_US = 5 * S_US


class FundJudge:
    """Collects what is wrong in `findings`, and what has happened in `seen`."""

    def __init__(self, topics: Topics, story: Story, rules: FundRules) -> None:
        self._story = story
        self._rules = rules
        self._topics = topics
        self._home = home_of(FUND, topics.partitions)
        self._auctions = self._read("auctions")
        self._questions = [
            (entry, said) for entry, said in self._read("deleveraging") if said["event"] == "ASKED"
        ]
        self._legs: dict[str, list[Record]] = defaultdict(list)
        for _, leg in self._read("transfers"):
            self._legs[leg["transfer_id"]].append(leg)
        self.findings: list[str] = []
        self.seen: set[str] = set()

    def judge(self) -> None:
        kinds = {legs[0]["kind"] for legs in self._legs.values()}
        for kind, what in (
            ("DELEVERAGE", "a winner takes over"), ("RETURN", "a leg is returned"),
            ("SOCIALISED_LOSS", "a loss is socialised"), ("AUCTION", "an auction is awarded"),
            ("PENALTY", "a penalty is swept"),
        ):  # fmt: skip
            if kind in kinds:
                self.seen.add(what)
        self._handed_over()
        self._concessions()
        self._returns()
        self._awards()
        self._bids()
        self._one_thing_after_the_other()
        self._ended()

    def _read(self, topic: str) -> Told:
        return [(entry, read(topic, entry.value)) for _, entry in self._topics.entries(topic)]

    def _handed_over(self) -> None:
        """Of a question no more contracts are handed over than were asked for."""
        for _, asked in self._questions:
            moved_e8 = sum(
                abs(legs[0]["quantity_e8"])
                for name, legs in self._legs.items()
                if name.rpartition("/")[0] == asked["request_id"]
                and legs[0]["kind"] == "DELEVERAGE"
            )
            if moved_e8 > abs(asked["quantity_e8"]):
                self.findings.append(f"{asked['request_id']}: {moved_e8} of {asked} handed over")

    def _concessions(self) -> None:
        """What winners give up is never less than nothing, and together at most the deficit."""
        given_e8: Counter[int] = Counter()
        deficit_e8: dict[int, int] = {}
        for order in self._topics.records("liquidations"):
            if order["action"] != "DELEVERAGE":
                continue
            name, at_us = order["instrument_id"], order["event_time"]
            deficit_e8[at_us] = max(-order["equity_e8"], 0)
            mark_e8 = next(m["mark_e8"] for m in order["marks"] if m["instrument_id"] == name)
            for transfer, (_, taker) in self._pairs(order["liquidation_id"]):
                multiplier_e8 = INSTRUMENTS[name]["multiplier_e8"]
                value = value_e8(False, multiplier_e8, taker["quantity_e8"], mark_e8)
                given_e8[at_us] += taker["cost_e8"] - value
                if taker["cost_e8"] < value:
                    self.findings.append(f"{transfer}: a winner is paid {value} for {taker}")
        for at_us, given in given_e8.items():
            if given > deficit_e8[at_us]:
                self.findings.append(f"winners give {given} for a deficit of {deficit_e8[at_us]}")

    def _pairs(self, request_id: str) -> list[tuple[str, list[Record]]]:
        found = [
            (name, sorted(legs, key=lambda leg: leg["leg"]))
            for name, legs in self._legs.items()
            if name.rpartition("/")[0] == request_id and legs[0]["kind"] == "DELEVERAGE"
        ]
        return [(name, legs) for name, legs in found if len(legs) == 2]

    def _returns(self) -> None:
        """What is returned is what the account was to get."""
        for name, legs in self._legs.items():
            if legs[0]["kind"] == "RETURN":
                original = self._legs.get(name.removesuffix("/return"), [])
                back = [leg for leg in legs if leg["account_id"] == FUND]
                sent = [leg for leg in original if leg["account_id"][:1] != "@"]
                amounts = [[(m["quantity_e8"], m["cost_e8"]) for m in one] for one in (back, sent)]
                if amounts[0] != amounts[1] or len(back) != 1:
                    self.findings.append(f"{name}: {amounts[1]} comes back as {amounts[0]}")

    def _awards(self) -> None:
        """No more than is for sale, no more than was bid, at no worse price; each is a transfer."""
        bids: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for bid in self._story.crowd.bids.values():
            bids[bid["auction_id"], bid["bid_id"]].append(bid)
        sold_e8: Counter[str] = Counter()
        for _, told in self._auctions:
            if told["event"] != "AWARDED":
                continue
            auction, of = told["auction_id"], 1 if told["quantity_e8"] > 0 else -1
            sold_e8[auction] += told["award_e8"]
            good = [
                bid for bid in bids[auction, told["bid_id"]]
                if bid["bidder"] == told["bidder"]
                and 0 < told["award_e8"] * of <= bid["quantity_e8"]
                and told["price_e8"] * of <= bid["price_e8"] * of
            ]  # fmt: skip
            if not good or abs(sold_e8[auction]) > abs(told["quantity_e8"]):
                self.findings.append(f"awarded {told} for {bids[auction, told['bid_id']]}")
        moved_e8: Counter[str] = Counter()
        for name, legs in self._legs.items():
            if legs[0]["kind"] == "AUCTION":
                taken = next(leg for leg in legs if leg["account_id"] != FUND)
                moved_e8[name.rsplit("/", 2)[0]] += taken["quantity_e8"]
        if moved_e8 != sold_e8:
            self.findings.append(f"awarded {sold_e8}, moved {moved_e8}")

    def _bids(self) -> None:
        """Exactly those that came while their auction was open, each once, and on its tick."""
        ends: dict[str, dict[str, int]] = defaultdict(dict)
        for entry, told in self._auctions:
            ends[told["auction_id"]][told["event"]] = applied_end(entry, "auction-bids")
        letters = {
            dict(entry.headers)["plimsoll-id"].decode()
            for _, entry in self._topics.entries("dead-letters")
        }
        heard: set[tuple[str, str]] = set()
        for place, bid in sorted(
            self._story.crowd.bids.items(), key=lambda one: int(one[0].rpartition("-")[2])
        ):
            offset, span = int(place.rpartition("-")[2]), ends[bid["auction_id"]]
            opened = span["OPENED"] <= offset < span.get("CLOSED", offset + 1)
            name = bid["auction_id"], bid["bid_id"]
            good = opened and name not in heard and bid["price_e8"] % 10**7 == 0
            if good:
                heard.add(name)
            if good == (place in letters):
                self.findings.append(f"{place}: {'refused' if good else 'taken'} in {span}: {bid}")

    def _one_thing_after_the_other(self) -> None:
        """A fund decides nothing new while a leg of its own is written and not read back."""
        begun: dict[int, tuple[int, int]] = {}
        for entry, told in (*self._auctions, *self._questions):
            if told["event"] in ("OPENED", "ASKED"):
                name = told.get("auction_id") or told["request_id"]
                begun[_number(name)] = told["event_time"], applied_end(entry, "transfers")
        last: tuple[int, int] = (0, -1)
        for _, entry in self._topics.entries("transfers", self._home):
            leg = read("transfers", entry.value)
            if leg["account_id"] != FUND or not leg["transfer_id"].startswith(f"{FUND}/"):
                continue
            if leg["kind"] == "RETURN":
                continue
            at_us, end = leg["event_time"], applied_end(entry, "transfers")
            if at_us != last[0] and end <= last[1]:
                self.findings.append(f"{leg['transfer_id']} was decided before {last} was read")
            last = at_us, entry.offset
            mine = _number(leg["transfer_id"])
            for number, (then_us, read_to) in begun.items():
                if number > mine and then_us != begun[mine][0] and read_to <= entry.offset:
                    self.findings.append(f"{number} begins before {leg['transfer_id']} was read")

    def _ended(self) -> None:
        """No leg is awaited for ever; nothing is open beyond its time."""
        now_us = self._story.now_us
        for number in range(self._topics.partitions):
            state: dict[str, Any] = list(self._topics.turns(number))[-1]
            if state["awaited"]:
                self.findings.append(f"awaited for ever on {number}: {state['awaited']}")
            for name, fund in state["funds"].items():
                wait_ms = self._rules.gather_ms * (PATIENCE + 1) if fund["requests"] else 0
                under_way = fund["requests"] or fund["auctions"]
                if under_way and fund["until_us"] + wait_ms * 1_000 + SLACK_US < now_us:
                    self.findings.append(f"{name} is stuck at {now_us} with {fund}")


def _number(name: str) -> int:
    """Of a fund's record, told by an id of it or of what follows from it."""
    return int(name.removeprefix(f"{FUND}/").split("/")[0])
