"""What a run says of its liquidations: counts and amounts by stage, in the records' own numbers."""

import random
from typing import Any

import pytest
from rich.console import Console

from schemas.units import E8
from streams.run.plain_queue import closed_whole
from streams.run.summary import waterfall_lines
from streams.run.waterfall import Waterfall
from tests.streams.run import stages
from tests.streams.run.stages import Told

DELEVERAGED = [
    stages.order("DELEVERAGE", stages.FUND, quantity=10),
    stages.asked(10),
    stages.answered(0, ("ann", -8, 120, 9.0), ("cat", -50, 95, 0.5)),
    stages.answered(3, ("bob", -20, 110, 4.0)),
    *stages.handed_over("ann", 8, 95),
    *stages.handed_over("bob", 2, 100),
]
"""The fund gives 10 away at the mark and 60 of the winners' gains: 5 on each of 8, 10 on 2."""


def told(*records: Told) -> dict[str, Any]:
    waterfall = Waterfall()
    for topic, record in (stages.instrument(), *records):
        waterfall.take(topic, record)
    return waterfall.told()


def test_a_run_without_liquidations_says_nothing() -> None:
    nothing = told(stages.fill("ann", None, 3))
    assert nothing["reduced"] == {"orders": 0, "fills": 0, "notional_usd": 0.0}
    assert nothing["deleveraged"]["legs"] == nothing["taken_over"]["buckets"] == 0
    assert list(waterfall_lines(nothing)) == []


def test_reduced_is_what_the_liquidated_side_traded() -> None:
    reduced = told(
        stages.fill("ann", "ann/cross/1/2", 3),
        stages.fill("mm-01", "ann/cross/1/2", 3),
        stages.fill("ann", "ann/cross/1/2", 1, price=80),
        stages.fill("ann", None, 7),
    )["reduced"]
    assert reduced == {"orders": 1, "fills": 2, "notional_usd": 350.0}


def test_taken_over_counts_buckets_once_and_adds_up_what_they_lack() -> None:
    taken = told(
        stages.order("TAKE_OVER", "ann", quantity=2, equity=-30),
        stages.order("TAKE_OVER", "ann", quantity=3, equity=-30),
        stages.order("TAKE_OVER", "bob", quantity=1, equity=5),
        stages.order("REDUCE", "cat", quantity=9, equity=-9),
    )["taken_over"]
    assert taken == {"buckets": 2, "bankrupt": 1, "notional_usd": 540.0, "loss": "30"}


@pytest.mark.parametrize("sign", [1, -1])
def test_the_discount_is_what_awards_cost_the_fund_of_the_opening_price(sign: int) -> None:
    auctioned = told(
        stages.auction("OPENED"),
        stages.auction("AWARDED", award=sign * 3, price=90 - sign * 9, bidder="ann"),
        stages.auction("AWARDED", award=sign, price=90, bidder="ann"),
        stages.auction("CLOSED"),
    )["auctioned"]
    assert (auctioned["auctions"], auctioned["awards"], auctioned["bidders"]) == (1, 2, 1)
    assert auctioned["discount_percent"] == pytest.approx(100 * 27 / 360)


def test_deleveraging_is_told_with_what_was_given_up_and_gained() -> None:
    ours = told(*DELEVERAGED)["deleveraged"]
    assert (ours["requests"], ours["legs"], ours["winners"]) == (1, 2, 2)
    assert ours["notional_usd"] == 900.0
    assert ours["conceded"] == {"USDT": "60"}
    assert ours["gain_usd"] == 8 * 30 + 2 * 20
    assert ours["largest_excess_contracts"] == "0"


def test_the_plain_queue_closes_the_same_winners_whole() -> None:
    plain = told(*DELEVERAGED)["deleveraged"]["plain_queue"]
    assert plain == {"winners": 2, "notional_usd": 2_520.0, "gain_usd": 8 * 30.0 + 20 * 20.0}


def test_more_than_was_asked_for_shows() -> None:
    more = told(*DELEVERAGED, *stages.handed_over("cat", 3, 90))["deleveraged"]
    assert more["largest_excess_contracts"] == "3"


def test_legs_belong_to_the_question_that_their_transfer_names() -> None:
    second = [
        ("liquidations", DELEVERAGED[0][1] | {"liquidation_id": f"{stages.FUND}/2"}),
        stages.asked(4, number=2),
        stages.answered(0, ("dan", -4, 99, 1.0), number=2),
        *stages.handed_over("dan", 4, 90, number=2),
    ]
    ours = told(*DELEVERAGED, *second)["deleveraged"]
    assert (ours["requests"], ours["legs"], ours["largest_excess_contracts"]) == (2, 3, "0")
    assert ours["plain_queue"]["winners"] == 3


def test_the_order_of_the_records_does_not_matter() -> None:
    records = [*DELEVERAGED, *stages.handed_over("cat", 3, 90), stages.balance(-5)]
    expected = told(*records)
    for seed in range(20):
        random.Random(seed).shuffle(records)
        assert told(*records) == expected


def test_an_inverse_contract_counts_in_dollars_and_concedes_in_its_coin() -> None:
    waterfall = Waterfall()
    inverse = {"kind": "INVERSE_PERP", "settlement_asset": "ABC", "multiplier_e8": 10 * E8}
    records = [(topic, dict(record)) for topic, record in DELEVERAGED]
    for topic, record in records:
        if topic == "transfers":  # 10 USD each: worth -10/90 ABC at the mark; winners pay 0.01 more
            contracts = record["quantity_e8"] // E8
            record["cost_e8"] = -(contracts * 10 * E8 * 2 // 90 + 1) // 2 + contracts * E8 // 100
    for topic, record in [stages.instrument(**inverse), *records]:
        waterfall.take(topic, record)
    ours = waterfall.told()["deleveraged"]
    assert ours["notional_usd"] == pytest.approx(100.0)
    assert float(ours["conceded"]["ABC"]) == pytest.approx(0.1, abs=1e-7)


def test_socialised_losses_returns_and_the_lowest_balance() -> None:
    everything = told(
        *DELEVERAGED,
        *stages.handed_over("@returns:USDT#1", -2, 90, kind="RETURN"),
        stages.shared(stages.FUND, 40),
        stages.shared("@socialised:USDT#1", -40),
        stages.shared("ann", -25),
        stages.shared("bob", -15),
        stages.balance(100),
        stages.balance(-40),
        stages.balance(0),
    )
    assert everything["socialised"] == {"payers": 2, "amounts": {"USDT": "40"}}
    assert everything["returned"] == 1
    assert everything["lowest_fund"] == {"USDT": "-40"}


def test_every_stage_is_a_line_for_people() -> None:
    console = Console(record=True, width=200)
    everything = told(
        *DELEVERAGED,
        stages.fill("ann", "ann/cross/1/2", 3),
        stages.order("TAKE_OVER", "ann", quantity=2, equity=-30),
        stages.auction("OPENED"),
        stages.auction("AWARDED", award=3, price=81, bidder="ann"),
        stages.shared(stages.FUND, 40),
        stages.balance(-40),
    )
    for line in waterfall_lines(everything):
        console.print(line, highlight=False)
    lines = console.export_text().splitlines()
    assert lines == [
        "reduced: 270 USD by 1 orders",
        "taken over: 180 USD of 1 buckets, 1 bankrupt for 30",
        "auctioned: 243 USD to 1 bidders in 1 auctions, 10.0 % below the opening price",
        "deleveraged: 900 USD of 2 winners in 1 requests, gains of 280 closed early, "
        "60 USDT given up",
        "a plain queue: 2,520 USD of 2 winners, gains of 640: 1,620 and 360 more",
        "socialised: 40 USDT over 0 winners",
        "lowest balance of the fund: -40 USDT",
    ]


@pytest.mark.parametrize(
    ("needed", "deficit", "count"),
    [(0, 0, 0), (1, 0, 1), (8, 0, 1), (9, 0, 2), (8, 241, 2), (0, 240, 1), (10**9, 0, 3)],
)
def test_a_plain_queue_stops_when_contracts_and_deficit_are_covered(
    needed: int, deficit: int, count: int
) -> None:
    winners = [(8, 240), (20, 400), (50, -5)]
    assert closed_whole(winners, quantity_e8=needed, deficit_e8=deficit) == count
