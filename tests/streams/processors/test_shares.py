"""What a slice of socialised losses takes of winners: gains and no money, each of them once."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import E8
from streams.state.ledger import partition_of
from tests.streams.processors.test_waterfall import given_of_gains, no_winner_left
from tests.streams.processors.venue import FUND, PARTITIONS, Venue

HOME = partition_of("frank", PARTITIONS)
SLICE = f"@socialised:USDT#{HOME}"


def leg(account: str, kind: str, transfer: str, number: int, **amounts: Any) -> dict[str, Any]:
    return {
        "event_time": 1_760_000_000_000_000, "account_id": account, "transfer_id": transfer,
        "leg": number, "legs": 2, "kind": kind, "bucket": "cross", "asset": None, "amount_e8": 0,
        "instrument_id": "ETH-PERP", "quantity_e8": 0, "cost_e8": 0, "more": 0, **amounts,
    }  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(
    parts_e8=st.lists(st.integers(1, 300 * E8), min_size=1, max_size=4),
    closes_behind=st.integers(0, 4),
)
def test_a_cost_that_is_handed_over_is_money_for_the_slice_and_sums_are_kept(
    parts_e8: list[int], closes_behind: int
) -> None:
    """Wherever frank closes in between, he ends with his gain less what he gave."""
    venue = Venue()
    for name in ("frank", "gwen"):
        venue.pay_in(name, 90_000)
    venue.tick(2_000, name="ETH-PERP")
    venue.trade("frank", "gwen", 2_000, 30, "ETH-PERP")
    venue.tick(2_400, name="ETH-PERP")
    for number, part in enumerate(parts_e8):
        if number == closes_behind:
            venue.trade("gwen", "frank", 2_400, 30, "ETH-PERP")
        for account, sign in ((SLICE, -1), ("frank", 1)):
            name = f"{SLICE}/{number}"
            record = leg(account, "SOCIALISED_LOSS", name, sign > 0, cost_e8=sign * part)
            venue.send("transfers", record)
        venue.require_conserved()
    if closes_behind >= len(parts_e8):
        assert venue.balances()["frank", "cross", "USDT"] == 90_000 * E8
        venue.trade("gwen", "frank", 2_400, 30, "ETH-PERP")
    venue.require_conserved()
    given_e8 = sum(parts_e8)
    assert venue.balances()[SLICE, "cross", "USDT"] == given_e8
    assert venue.balances()["frank", "cross", "USDT"] == (90_000 + 1_200) * E8 - given_e8


def test_contracts_are_not_taken_of_a_winner_that_is_giving_of_the_same_gain() -> None:
    """A hand-over that another fund's worker wrote comes between a share and its legs."""
    venue = Venue()
    no_winner_left(venue)

    def hand_over() -> None:
        shares = [one for one in venue.unread if one[1].get("account_id") == SLICE]
        if shares and shares[0][1]["cost_e8"] and not handed:
            for number, (account, sign) in enumerate(((FUND, 1), ("frank", -1))):
                # as if frank's gain of 1,200 were whole: of it 1,000 for the deficit
                moved = {"quantity_e8": sign * 30 * E8, "cost_e8": sign * 6_200 * E8}
                handed.append(leg(account, "DELEVERAGE", f"{FUND}/99/0", number, **moved))
            venue.unread[:0] = [("transfers", one) for one in handed]

    handed: list[dict[str, Any]] = []
    venue.meanwhile = hand_over
    venue.tick(47_500, 60)
    assert handed
    assert venue.kinds()["RETURN"] == 1
    assert venue.quantity("frank", "ETH-PERP") == 30
    assert given_of_gains(venue)["frank"] <= 1_200 * E8
