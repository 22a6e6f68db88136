"""Wealth and leverage have heavy tails within their bounds."""

from streams.market.contracts import seeded_catalogue
from streams.market.population import populate

CATALOGUE = seeded_catalogue()
PEOPLE = populate(CATALOGUE, seed=3, accounts=5_000, makers=3)


def test_ids_are_in_order_and_unique() -> None:
    ids = [trader.account_id for trader in PEOPLE.traders]
    assert ids[0] == "acc-000001"
    assert ids == sorted(set(ids))
    assert PEOPLE.makers == ("mm-01", "mm-02", "mm-03")


def test_the_richest_percent_owns_a_third_and_more() -> None:
    wealth = sorted((trader.wealth_usd for trader in PEOPLE.traders), reverse=True)
    assert wealth[-1] >= 100
    assert wealth[0] <= 10_000_000
    assert wealth[0] > 500_000
    assert sum(wealth[:50]) > sum(wealth) / 3
    assert wealth[2_500] < 500


def test_most_use_three_to_twenty_times() -> None:
    leverage = [trader.leverage for trader in PEOPLE.traders]
    assert min(leverage) >= 1
    assert max(leverage) <= 100
    assert max(leverage) > 80
    assert sum(3 <= each <= 20 for each in leverage) > 0.6 * len(leverage)


def test_the_mix_is_whole_and_coins_are_held_where_they_settle() -> None:
    for trader in PEOPLE.traders:
        assert abs(sum(trader.mix.values()) - 1) < 1e-9
        assert min(trader.mix.values()) > 0
        for instrument_id in trader.favourites:
            assert CATALOGUE.listings[instrument_id].settlement_asset in trader.mix
    assert sum(len(trader.mix) > 1 for trader in PEOPLE.traders) > 1_000


def test_the_same_seed_is_the_same_population() -> None:
    again = populate(CATALOGUE, seed=3, accounts=5_000, makers=3)
    assert again == PEOPLE
    assert populate(CATALOGUE, seed=4, accounts=10, makers=3).traders != PEOPLE.traders[:10]
