"""What deleveraging took of winners, beside what a plain queue would have taken of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.units import text
from streams.run.contract_values import ContractValues
from streams.run.plain_queue import closed_whole

Record = Mapping[str, Any]


@dataclass(slots=True)
class Request:
    """A fund's question, the candidates it was told, the legs of the winners, and the mark."""

    asked: Record | None = None
    candidates: dict[tuple[str, str], Record] = field(default_factory=dict)
    legs: list[Record] = field(default_factory=list)
    mark_e8: int = 0

    def ranked(self) -> list[Record]:
        """All candidates, best first, ties by account."""
        return sorted(self.candidates.values(), key=lambda one: (-one["score"], one["account_id"]))


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
    """Joins `deleveraging`, the winners' DELEVERAGE legs and the funds' own orders, by request."""

    def __init__(self, values: ContractValues) -> None:
        self._values = values
        self._requests: dict[str, Request] = {}

    def take_request(self, record: Record) -> None:
        """ASKED or ANSWERED; a question about a loss to share has no instrument and no legs."""
        request = self._request(record["request_id"])
        if record["event"] == "ASKED":
            request.asked = record
        else:
            for one in record["candidates"]:
                request.candidates[one["account_id"], one["bucket"]] = one

    def take_leg(self, leg: Record) -> None:
        """The id of its transfer is the request's with a number behind it."""
        if leg["account_id"][0] != "@":
            self._request(leg["transfer_id"].rpartition("/")[0]).legs.append(leg)

    def take_order(self, record: Record) -> None:
        """A fund's DELEVERAGE record on `liquidations`, which has the id of its request."""
        for used in record["marks"]:
            if used["instrument_id"] == record["instrument_id"]:
                self._request(record["liquidation_id"]).mark_e8 = used["mark_e8"]

    def told(self) -> dict[str, Any]:
        """Totals of all requests, `plain_queue` beside them; concessions by asset."""
        ours, plain, legs = Taken(), Taken(), 0
        given: Counter[str] = Counter()
        excess_e8, requests = 0, 0
        for request in self._requests.values():
            if request.asked is None or not request.legs or not request.mark_e8:
                continue
            name = request.asked["instrument_id"]
            conceded_e8 = self._ours(name, request, ours)
            given[self._values.asset(name)] += conceded_e8
            taken_e8 = sum(abs(leg["quantity_e8"]) for leg in request.legs)
            excess_e8 = max(excess_e8, taken_e8 - abs(request.asked["quantity_e8"]))
            self._plain(name, request, (taken_e8, conceded_e8), plain)
            requests, legs = requests + 1, legs + len(request.legs)
        return {
            "requests": requests,
            "legs": legs,
            **ours.told(),
            "conceded": {asset: text(amount) for asset, amount in given.items() if amount},
            "largest_excess_contracts": text(excess_e8),
            "plain_queue": plain.told(),
        }

    def _request(self, request_id: str) -> Request:
        return self._requests.setdefault(request_id, Request())

    def _ours(self, name: str, request: Request, taken: Taken) -> int:
        """Adds what was taken; returns what the winners gave up, in the settlement asset."""
        values, mark_e8 = self._values, request.mark_e8
        conceded_e8 = 0
        for leg in request.legs:
            quantity_e8 = leg["quantity_e8"]
            conceded_e8 += leg["cost_e8"] - values.value_e8(name, quantity_e8, mark_e8)
            taken.winners.add(leg["account_id"])
            taken.notional_usd += values.notional_usd(name, quantity_e8, mark_e8)
            one = request.candidates[leg["account_id"], leg["bucket"]]
            gain_e8 = self._gain_e8(name, one, mark_e8)
            share = abs(quantity_e8 / one["quantity_e8"])
            taken.gain_usd += share * values.usd(name, gain_e8, mark_e8)
        return conceded_e8

    def _plain(self, name: str, request: Request, ours: tuple[int, int], taken: Taken) -> None:
        """Adds what whole positions of the same winners are, on the same contracts and deficit."""
        (quantity_e8, deficit_e8), mark_e8 = ours, request.mark_e8
        ranked = request.ranked()
        gains_e8 = [self._gain_e8(name, one, mark_e8) for one in ranked]
        sizes_e8 = [abs(one["quantity_e8"]) for one in ranked]
        count = closed_whole(
            zip(sizes_e8, gains_e8, strict=True), quantity_e8=quantity_e8, deficit_e8=deficit_e8
        )
        for one, gain_e8 in zip(ranked[:count], gains_e8, strict=False):
            taken.winners.add(one["account_id"])
            taken.notional_usd += self._values.notional_usd(name, one["quantity_e8"], mark_e8)
            taken.gain_usd += self._values.usd(name, gain_e8, mark_e8)

    def _gain_e8(self, name: str, one: Record, mark_e8: int) -> int:
        return self._values.value_e8(name, one["quantity_e8"], mark_e8) - int(one["cost_e8"])
