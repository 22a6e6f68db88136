"""Deleveraging and socialised losses: ranked winners, no contract and no unit too much."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.units import text
from streams.audit.account import value_e8
from streams.audit.findings import Findings
from streams.audit.limits import Limits
from streams.audit.outputs import Output
from streams.audit.partitioner import partition_of
from streams.audit.returns import returned
from streams.audit.rulebook import Record, Rulebook
from streams.audit.transfers import Transfers


class _Taken(NamedTuple):
    """What a transfer hands to a winner."""

    place: str
    """account/bucket"""
    quantity_e8: int
    cost_e8: int


class Winners:
    """Checks the transfers of kind DELEVERAGE beside what was asked, answered and ordered."""

    def __init__(
        self,
        asked_and_answered: Iterable[Output],
        liquidations: Iterable[Output],
        rules: Rulebook,
        findings: Findings,
        *,
        limits: Limits,
        partitions: int,
    ) -> None:
        self._rules = rules
        self._findings = findings
        self._limits = limits
        self._partitions = partitions
        self._orders = {
            one.record["liquidation_id"]: one.record
            for one in liquidations
            if one.record["action"] == "DELEVERAGE"
        }
        self.asked: dict[str, Record] = {}
        self.answers: dict[str, dict[int, Record]] = defaultdict(dict)
        for one in asked_and_answered:
            record = one.record
            if record["event"] == "ASKED":
                self.asked[record["request_id"]] = record
            else:
                self.answers[record["request_id"]].setdefault(record["partition"], record)
                self._in_order(record)

    def check(self, transfers: Transfers, until_us: float) -> None:
        """All transfers; what those of before `until_us` follow from must be there."""
        requests: dict[str, list[Sequence[Record]]] = defaultdict(list)
        for identity, legs in transfers.items():
            if legs[0]["kind"] == "DELEVERAGE":
                requests[identity.rpartition("/")[0]].append(legs)
            elif legs[0]["kind"] == "RETURN":
                self._comes_back(identity, legs, transfers)
        given_e8: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
        for request, found in requests.items():
            order, asked = self._orders.get(request), self.asked.get(request)
            if order is None or asked is None or asked["instrument_id"] is None:
                if found[0][0]["event_time"] < until_us:
                    self._say(request, "was never asked for, or never told")
                continue
            decision = given_e8[order["account_id"], order["event_time"]]
            decision[0] += self._request(request, found, order, asked)
            decision[1] = max(-order["equity_e8"], 0)
        for (fund, time_us), (given, deficit) in given_e8.items():
            if given > deficit and not self._limits.window_cap_e8:
                self._findings.unjustified.append(
                    f"deleveraging of {fund} at {time_us} takes {text(given)} of winners for a "
                    f"deficit of {text(deficit)}"
                )

    def _request(
        self, request: str, found: list[Sequence[Record]], order: Record, asked: Record
    ) -> int:
        """What the winners of one request gave up of their gains."""
        name, fund = asked["instrument_id"], order["account_id"]
        taken = [
            _Taken(f"{leg['account_id']}/{leg['bucket']}", leg["quantity_e8"], leg["cost_e8"])
            for legs in found
            for leg in legs
            if leg["account_id"] != fund
        ]
        total_e8 = sum(one.quantity_e8 for one in taken)
        signs = {one.quantity_e8 * asked["quantity_e8"] > 0 for one in taken}
        if abs(total_e8) > abs(asked["quantity_e8"]) or signs - {True}:
            self._say(request, f"hands over {text(total_e8)} of {name}, asked for "
                      f"{text(asked['quantity_e8'])}")  # fmt: skip
        if abs(total_e8) != order["quantity_e8"]:
            self._say(request, f"hands over {text(abs(total_e8))} of {name}, told as "
                      f"{text(order['quantity_e8'])}")  # fmt: skip
        marks_e8 = {mark["instrument_id"]: mark["mark_e8"] for mark in order["marks"]}
        answers = self.answers.get(request, {})
        told = {_place(one): one for answer in answers.values() for one in answer["candidates"]}
        given_e8 = 0
        for one in taken:
            candidate = told.get(one.place)
            if candidate is None or abs(one.quantity_e8) > abs(candidate["quantity_e8"]):
                self._say(request, f"hands {text(one.quantity_e8)} to {one.place}, who did not "
                          "stand for so much")  # fmt: skip
                continue
            value = value_e8(self._rules.contracts[name], one.quantity_e8, marks_e8[name])
            given, room = one.cost_e8 - value, self._gain_e8(name, candidate, marks_e8[name], one)
            if not 0 <= given <= room:
                self._say(request, f"takes {text(given)} from {one.place}, whose gain on it is "
                          f"{text(room)}")  # fmt: skip
            given_e8 += given
        self._ranks(request, taken, order, (asked, marks_e8[name]))
        return given_e8

    def _ranks(
        self, request: str, taken: list[_Taken], order: Record, asked: tuple[Record, int]
    ) -> None:
        """Whoever ranks above a winner is taken in full, of the partitions that were heard."""
        question, mark_e8 = asked
        answers = self.answers.get(request, {})
        quantities = {one.place: abs(one.quantity_e8) for one in taken}
        waited_us = order["event_time"] - question["event_time"]
        everyone = waited_us < self._limits.gather_ms * 1_000
        ranked = sorted(
            (-one["score"], _place(one), one)
            for answer in answers.values()
            if everyone or any(_place(one) in quantities for one in answer["candidates"])
            for one in answer["candidates"]
            if self._gain_e8(question["instrument_id"], one, mark_e8) > 0
        )  # fmt: skip
        short: str | None = None
        for _, place, one in ranked:
            if short is not None and place in quantities:
                self._say(request, f"takes from {place}, and {short} ranks higher and has more")
                return
            if quantities.get(place, 0) < abs(one["quantity_e8"]) and short is None:
                short = place

    def _gain_e8(
        self, name: str, candidate: Record, mark_e8: int, taken: _Taken | None = None
    ) -> int:
        """What a candidate gains at a mark, on what is taken of it, rounded down."""
        quantity_e8: int = candidate["quantity_e8"]
        part_e8 = abs(quantity_e8) if taken is None else abs(taken.quantity_e8)
        whole = value_e8(self._rules.contracts[name], quantity_e8, mark_e8) - candidate["cost_e8"]
        return int(whole * part_e8 // abs(quantity_e8))

    def _in_order(self, answer: Record) -> None:
        """An answer names its own partition's accounts, on the other side, best first."""
        who = f"{answer['request_id']} of partition {answer['partition']}"
        told = answer["candidates"]
        asked = self.asked.get(answer["request_id"])
        ranks = [(-one["score"], _place(one)) for one in told]
        homes = {partition_of(one["account_id"], self._partitions) for one in told}
        if ranks != sorted(ranks) or homes - {answer["partition"]}:
            self._findings.unjustified.append(f"answer {who} is out of order or of another's")
        wrong = asked and any(one["quantity_e8"] * asked["quantity_e8"] >= 0 for one in told)
        if wrong or any(one["account_id"].startswith("@") for one in told):
            self._findings.unjustified.append(f"answer {who} names who cannot take any")

    def _comes_back(self, identity: str, legs: Sequence[Record], transfers: Transfers) -> None:
        """A return moves what was turned away, to the fund that it came from."""
        given = {
            (leg["account_id"], leg["quantity_e8"], leg["cost_e8"])
            for leg in transfers.get(identity.removesuffix(returned("")), ())
            if leg["account_id"].startswith("@")
        }
        back = {
            (leg["account_id"], -leg["quantity_e8"], -leg["cost_e8"])
            for leg in legs
            if not leg["account_id"].startswith("@returns:")
        }
        if given != back:
            self._findings.unjustified.append(f"transfer {identity} (RETURN) is not what was given")

    def _say(self, request: str, what: str) -> None:
        self._findings.unjustified.append(f"deleveraging {request} {what}")


def _place(candidate: Mapping[str, object]) -> str:
    return f"{candidate['account_id']}/{candidate['bucket']}"
