"""What deleveraging took of winners, beside what a plain queue would have taken of them."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.units import text
from streams.run.contract_values import ContractValues
from streams.run.plain_queue import closed_whole

Record = Mapping[str, Any]


@dataclass(slots=True)
class Request:
    """A fund's question, the candidates it was told, and the legs of the winners."""

    asked: Record
    answers: dict[int, list[Record]] = field(default_factory=dict)
    legs: list[Record] = field(default_factory=list)

    def ranked(self) -> list[Record]:
        """All candidates, best first, ties by account."""
        told = [one for answer in self.answers.values() for one in answer]
        return sorted(told, key=lambda one: (-one["score"], one["account_id"]))


@dataclass(slots=True)
class Taken:
    """What was closed: accounts, contracts' notional and unrealised gain, in USD."""

    winners: set[str] = field(default_factory=set)
    notional_usd: float = 0.0
    gain_usd: float = 0.0

    def told(self) -> dict[str, Any]:
        return {
            "winners": len(self.winners),
            "notional_usd": round(self.notional_usd, 2),
            "gain_usd": round(self.gain_usd, 2),
        }


class Deleveraged:
    """Joins `deleveraging`, the DELEVERAGE legs and the marks of the funds' own records."""

    def __init__(self, values: ContractValues) -> None:
        self._values = values
        self._requests: dict[str, Request] = {}
        self._transfers: dict[str, list[Record]] = defaultdict(list)
        self._marks: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)

    def take_request(self, record: Record) -> None:
        """ASKED or ANSWERED; a question about a loss to share has no instrument and no legs."""
        if record["instrument_id"] is None:
            return
        request = self._requests.setdefault(record["request_id"], Request(record))
        if record["event"] == "ASKED":
            request.asked = record
        else:
            request.answers[record["partition"]] = record["candidates"]

    def take_leg(self, leg: Record) -> None:
        self._transfers[leg["transfer_id"]].append(leg)

    def take_order(self, record: Record) -> None:
        """A fund's DELEVERAGE record on `liquidations`: it names the mark."""
        name = record["instrument_id"]
        for used in record["marks"]:
            if used["instrument_id"] == name:
                self._marks[record["account_id"], name].append(
                    (record["event_time"], used["mark_e8"])
                )

    def told(self) -> dict[str, Any]:
        """Totals of all requests, `plain_queue` beside them; concessions by asset."""
        self._assign()
        ours, plain = Taken(), Taken()
        given: Counter[str] = Counter()
        excess_e8, requests = 0, [each for each in self._requests.values() if each.legs]
        for request in requests:
            mark_e8 = self._mark_e8(request)
            conceded_e8 = self._ours(request, mark_e8, ours)
            given[self._values.asset(request.asked["instrument_id"])] += conceded_e8
            taken_e8 = sum(abs(leg["quantity_e8"]) for leg in request.legs)
            excess_e8 = max(excess_e8, taken_e8 - abs(request.asked["quantity_e8"]))
            self._plain(request, (taken_e8, conceded_e8, mark_e8), plain)
        return {
            "requests": len(requests),
            "legs": sum(len(request.legs) for request in requests),
            **ours.told(),
            "conceded": {asset: text(amount) for asset, amount in given.items() if amount},
            "largest_excess_contracts": text(excess_e8),
            "plain_queue": plain.told(),
        }

    def _assign(self) -> None:
        """Winners' legs to the last question of their fund and instrument before them."""
        asked: dict[tuple[str, str], list[tuple[int, Request]]] = defaultdict(list)
        for request in self._requests.values():
            one = request.asked
            asked[one["fund"], one["instrument_id"]].append((one["event_time"], request))
            request.legs = []
        for questions in asked.values():
            questions.sort(key=lambda each: each[0])
        for legs in self._transfers.values():
            fund = next((leg["account_id"] for leg in legs if leg["account_id"][0] == "@"), "")
            for leg in legs:
                questions = asked.get((fund, leg["instrument_id"]), [])
                place = bisect_right(questions, leg["event_time"], key=lambda each: each[0])
                if place and leg["account_id"][0] != "@":
                    questions[place - 1][1].legs.append(leg)

    def _mark_e8(self, request: Request) -> int:
        """The mark of the fund's record; without one, the price that winners were closed at."""
        one, leg = request.asked, request.legs[0]
        marks = sorted(self._marks.get((one["fund"], one["instrument_id"]), []))
        place = bisect_right(marks, leg["event_time"], key=lambda each: each[0])
        if marks:
            return marks[max(place - 1, 0)][1]
        return self._values.price_e8(one["instrument_id"], leg["quantity_e8"], leg["cost_e8"])

    def _ours(self, request: Request, mark_e8: int, taken: Taken) -> int:
        """Adds what was taken; returns what the winners gave up, in the settlement asset."""
        values, name = self._values, request.asked["instrument_id"]
        held = {(one["account_id"], one["bucket"]): one for one in request.ranked()}
        conceded_e8 = 0
        for leg in request.legs:
            quantity_e8, cost_e8 = leg["quantity_e8"], leg["cost_e8"]
            conceded_e8 += cost_e8 - values.value_e8(name, quantity_e8, mark_e8)
            taken.winners.add(leg["account_id"])
            taken.notional_usd += values.notional_usd(name, quantity_e8, mark_e8)
            one = held.get((leg["account_id"], leg["bucket"]))
            if one is not None and one["quantity_e8"]:
                share = abs(quantity_e8 / one["quantity_e8"])
                taken.gain_usd += share * values.usd(
                    name, self._gain_e8(name, one, mark_e8), mark_e8
                )
        return conceded_e8

    def _plain(self, request: Request, ours: tuple[int, int, int], taken: Taken) -> None:
        name, (quantity_e8, deficit_e8, mark_e8) = request.asked["instrument_id"], ours
        ranked = request.ranked()
        gains = [self._gain_e8(name, one, mark_e8) for one in ranked]
        held = ((abs(one["quantity_e8"]), gain) for one, gain in zip(ranked, gains, strict=True))
        count = closed_whole(held, quantity_e8=quantity_e8, deficit_e8=deficit_e8)
        for one, gain_e8 in zip(ranked[:count], gains, strict=False):
            taken.winners.add(one["account_id"])
            taken.notional_usd += self._values.notional_usd(name, one["quantity_e8"], mark_e8)
            taken.gain_usd += self._values.usd(name, gain_e8, mark_e8)

    def _gain_e8(self, name: str, one: Record, mark_e8: int) -> int:
        return self._values.value_e8(name, one["quantity_e8"], mark_e8) - int(one["cost_e8"])
