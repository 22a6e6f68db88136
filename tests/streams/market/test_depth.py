"""The book thins out as its price becomes volatile, and fills again when it calms down."""

from schemas.units import E8
from streams.market.contracts import seeded_catalogue
from streams.market.depth import Depth

CATALOGUE = seeded_catalogue()
SOL = CATALOGUE.listings["SOL-PERP"]


def depth_after(moves: list[float], depth: Depth | None = None, begin_s: int = 0) -> float:
    """Depth within 1 %, in USD, after one move (a share) a second."""
    depth = depth or Depth(CATALOGUE.listings)
    price = 200.0
    for second, move in enumerate([0.0, *moves], start=begin_s):
        price *= 1 + move
        depth.observe("SOL-PERP", round(price * E8), second * 1_000_000)
    now_us = (begin_s + len(moves)) * 1_000_000
    return depth.within_percent_e8(SOL, round(price * E8), now_us) / E8 * price


def test_calm_prices_leave_the_book_as_deep_as_it_is() -> None:
    calm = depth_after([1e-4, -1e-4] * 60)
    assert abs(calm / depth_after([]) - 1) < 0.01


def test_a_fall_of_a_thousandth_a_second_leaves_a_sixth_to_a_quarter() -> None:
    share = depth_after([-1e-3] * 120) / depth_after([])
    assert 1 / 6 < share < 1 / 4


def test_the_book_recovers_when_prices_rest() -> None:
    depth = Depth(CATALOGUE.listings)
    crashed = depth_after([-2e-3] * 60, depth)
    rested = depth_after([1e-5, -1e-5] * 120, depth, begin_s=1_000)
    assert rested > 3 * crashed
