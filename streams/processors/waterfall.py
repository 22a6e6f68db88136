"""What an insurance fund does with what it took over: carry, auction, hand to winners, share."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from risk.liquidation.fund import ALL, NONE, allowance_e8, excess_share, shed_e8
from risk.liquidation.stages import Stage
from schemas.units import PPM, US_PER_MS, Int64s
from streams.processors.auctions import Sale, award, close, open_auctions
from streams.processors.candidates import answer
from streams.processors.deleveraging import hand_over, socialise
from streams.processors.fund_records import question
from streams.processors.fund_view import FundView, fund_views
from streams.processors.outputs import Output
from streams.processors.slices import Slices
from streams.state.funds import Fund, Request
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard

LOOK_US = 100 * US_PER_MS
"""From one look at the funds to the next, by the board's clock: what they do takes seconds."""
REMEMBERED = 256
"""Questions whose answers are kept: a fund asks for a few instruments at a time."""
ANSWER_WITHIN_US = 600_000 * US_PER_MS
"""A question that is older was asked by someone who is long gone."""
PATIENCE = 10
"""Times the gathering time after which a question without any answer is given up."""
DOUBLINGS = 5
"""A fund that asks in vain waits twice as long each time, up to so often: about a minute."""
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FundRules:
    """How an insurance fund behaves; times in ms of event time."""

    carry_ppm: int = PPM
    """It carries positions while what it may lose is this part of their maintenance margin."""
    window_ms: int = 86_400_000
    window_cap_e8: int = 0
    """What it may lose in a window, in units of its asset; 0: all it has."""
    auction_ms: int = 10_000
    """How long what it cannot carry is for sale; 0: there are no auctions."""
    auction_sealed: bool = False
    auction_first: bool = False
    """Whether all that is taken over is for sale at once, carried or not."""
    gather_ms: int = 2_000
    """How long the answers of all partitions are waited for."""
    retry_ms: int = 2_000
    """Until what nobody could take is asked for again; then twice as long each time."""


class Waterfall:
    """The decisions of the funds held here, and this worker's answers to the funds of all."""

    def __init__(self, ledger: Ledger, board: MarkBoard, rules: FundRules) -> None:
        self._ledger = ledger
        self._board = board
        self._rules = rules
        self._slices = Slices(ledger, board)
        self._asked: list[Record] = []
        self._answers: OrderedDict[str, dict[int, Record]] = OrderedDict()
        self._looked_us = 0

    def hear(self, record: Record) -> None:
        """Take a record of `deleveraging`: a question to all, or an answer to a fund."""
        if record["event"] == "ASKED":
            self._asked.append(record)
            return
        answers = self._answers.setdefault(record["request_id"], {})
        answers[record["partition"]] = record
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

    def decide(self, partitions: list[int]) -> list[Output]:
        """One decision of every slice of these partitions, at the board's clock, and of every fund
        where it is time for a look."""
        outputs, now_us = list[Output](), self._board.clock_us
        for asked in self._asked:
            if now_us - asked["event_time"] < ANSWER_WITHIN_US:
                told = self._answers.get(asked["request_id"], {})
                fresh = [one for one in partitions if one not in told]
                outputs += [answer(self._ledger, self._board, asked, one) for one in fresh]
        self._asked.clear()
        if now_us - self._looked_us >= LOOK_US:
            self._looked_us = now_us
            capped = self._rules.window_cap_e8 > 0  # what it has when a window begins must be known
            for view in fund_views(self._ledger, self._board, idle=capped):
                if not self._ledger.awaited.get((view.partition, view.account_id)):
                    outputs += self._decide_fund(view)
        return outputs + self._slices.decide(partitions)

    def _decide_fund(self, view: FundView) -> list[Output]:
        now_us, rules = self._board.clock_us, self._rules
        fund = self._ledger.funds.setdefault(view.account_id, Fund())
        if now_us - fund.window_us >= rules.window_ms * US_PER_MS:
            fund.window_us, fund.window_equity_e8 = now_us, view.equity_e8
        cap_e8 = rules.window_cap_e8 or max(fund.window_equity_e8, 0)
        allowance = allowance_e8(view.equity_e8, fund.window_equity_e8, cap_e8)
        if not view.live or fund.arriving:
            return []
        if fund.requests:
            outputs = self._settle(view, fund, allowance)
        elif fund.auctions:
            outputs = self._auction(view, fund, allowance)
        elif now_us >= fund.until_us + self._longer_us(fund):
            outputs = self._shed(view, fund, allowance)
        else:
            outputs = []
        self._show(view, fund)
        if not (fund.requests or fund.auctions or view.holds or view.equity_e8 < 0):
            fund.until_us, fund.failed, fund.vain = 0, False, 0
        return outputs

    def _longer_us(self, fund: Fund) -> int:
        """How much longer than `retry_ms` it waits; what arrives on `transfers` ends that."""
        retry_us = self._rules.retry_ms * US_PER_MS
        doublings = min(max(fund.vain - 1, 0), DOUBLINGS)
        return retry_us * ((1 << doublings) - 1)

    def _shed(self, view: FundView, fund: Fund, allowance: int) -> list[Output]:
        """Begin with what the fund cannot carry; `failed` tells what was tried in vain."""
        now_us, rules = self._board.clock_us, self._rules
        sales = self._sales(view, allowance, all_of_it=rules.auction_first and not fund.auctioned)
        if allowance < 0 and (fund.failed or not sales):
            return self._ask(view, fund, [Request("", None, 0)])
        if not sales:
            return []
        if rules.auction_ms and allowance > 0 and not fund.auctioned:
            fund.until_us = now_us + rules.auction_ms * US_PER_MS
            return open_auctions(
                self._ledger,
                view,
                fund,
                sales,
                allowance_e8=allowance,
                window_us=(now_us, fund.until_us),
                sealed=rules.auction_sealed,
            )
        requests = [
            Request("", one.instrument, contracts if one.quantity_e8 > 0 else -contracts)
            for one, contracts in sales
        ]
        return self._ask(view, fund, requests)

    def _sales(self, view: FundView, allowance: int, *, all_of_it: bool) -> list[Sale]:
        """The positions that the fund cannot carry, or all, and how much of each."""
        share = excess_share(allowance, view.margin_e8, self._rules.carry_ppm)
        if all_of_it:
            share = ALL
        if share == NONE:
            return []
        shed = shed_e8(_column(view, "quantity_e8"), share, _column(view, "lot_e8"))
        pairs = zip(view.holdings, shed.tolist(), strict=True)
        return [(one, contracts) for one, contracts in pairs if contracts]

    def _auction(self, view: FundView, fund: Fund, allowance: int) -> list[Output]:
        """Award what meets the price; over when all is sold, time is up or there is no need."""
        now_us, rules = self._board.clock_us, self._rules
        sealed = rules.auction_sealed
        outputs: list[Output] = []
        for auction in fund.auctions:
            outputs += award(self._ledger, view, auction, now_us, sealed=sealed)
        sold = not any(auction.left_e8 for auction in fund.auctions)
        sales = self._sales(view, allowance, all_of_it=rules.auction_first)
        needless = allowance <= 0 or not sales
        if sold or needless or now_us >= fund.until_us:
            outputs += [close(view, one, now_us, sealed=sealed) for one in fund.auctions]
            fund.auctions = []
            fund.auctioned = bool(self._sales(view, allowance, all_of_it=False))
            offered = rules.auction_first and not fund.auctioned
            fund.until_us = now_us + rules.retry_ms * US_PER_MS if offered else 0
        return outputs

    def _ask(self, view: FundView, fund: Fund, requests: list[Request]) -> list[Output]:
        now_us = self._board.clock_us
        fund.until_us = now_us + self._rules.gather_ms * US_PER_MS
        fund.auctioned = False
        for request in requests:
            request.request_id = fund.next_id(view.account_id)
        fund.requests = requests
        return [question(view, request, now_us) for request in requests]

    def _settle(self, view: FundView, fund: Fund, allowance: int) -> list[Output]:
        """Act on the answers, once all are there or time is up and some are."""
        now_us, rules = self._board.clock_us, self._rules
        answers = [self._answers.get(one.request_id, {}) for one in fund.requests]
        late_us = now_us - fund.until_us
        if any(len(one) < self._ledger.partitions for one in answers) and late_us < 0:
            return []
        if not any(answers):
            gone = late_us >= PATIENCE * rules.gather_ms * US_PER_MS
            return self._ask(view, fund, fund.requests) if gone else []
        shed = self._sales(view, allowance, all_of_it=False)
        sales = {one.instrument: (one, contracts) for one, contracts in shed}
        deficit = max(-allowance, 0)
        parts = _parts(view, deficit)
        outputs: list[Output] = []
        for request, told in zip(fund.requests, answers, strict=True):
            records = list(told.values())
            if request.instrument is None:
                outputs += socialise(
                    self._ledger, view, request, deficit, answers=records, now_us=now_us
                )
            elif request.instrument in sales:
                holding, contracts = sales[request.instrument]
                part = parts[request.instrument]
                wanted = (holding, min(contracts, abs(request.quantity_e8)), part)
                outputs += hand_over(
                    self._ledger, view, request, wanted, answers=records, now_us=now_us
                )
        fund.failed = not outputs and fund.requests[0].instrument is not None
        shares = fund.failed and deficit > 0
        done = bool(outputs) or shares
        fund.vain = 0 if outputs else fund.vain + (not shares)
        fund.until_us = 0 if done else now_us + rules.retry_ms * US_PER_MS
        fund.requests = []
        return outputs

    def _show(self, view: FundView, fund: Fund) -> None:
        """The fund's stage, as margin states tell it."""
        stage = self._ledger.book.buckets["stage"]
        now = Stage.HEALTHY
        if fund.requests:
            now = Stage.DELEVERAGE
        elif fund.auctions:
            now = Stage.AUCTION
        if stage[view.bucket] != now:
            stage[view.bucket] = now
            self._ledger.book.touch(np.array([view.bucket]))


def _parts(view: FundView, deficit: int) -> dict[str, int]:
    """The deficit by instrument, in proportion to the margins of the positions, to the unit."""
    margins = _column(view, "margin_e8").clip(min=1)
    sums = np.cumsum(margins).tolist()
    edges = [deficit * one // sums[-1] for one in sums]
    parts = np.diff([0, *edges]).tolist()
    return {one.instrument: part for one, part in zip(view.holdings, parts, strict=True)}


def _column(view: FundView, name: str) -> Int64s:
    return np.array([getattr(one, name) for one in view.holdings], np.int64)
