"""Derive's auction: what a bidder may take and pays, and the price as it falls."""

from typing import Any

from risk.liquidation.auction import ForSale, price_at
from tests.conformance.translate import amount, number


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs = case["inputs"]
    if "fast_cutoff" in inputs:
        return _discount(inputs)
    return _bid(inputs) if "want_fraction" in inputs else None


def _discount(inputs: dict[str, Any]) -> dict[str, Any]:
    """Seconds since the start, as microseconds; the price is a share of the value."""
    fast, slow, now = (
        amount(inputs[name]).item() for name in ("fast_seconds", "slow_seconds", "seconds")
    )
    start, cutoff = amount(inputs["start"], inputs["fast_cutoff"]).tolist()
    return {
        "fraction_of_mtm": number(price_at(start, 0, 0, fast + slow, now, cutoff=(cutoff, fast)))
    }


def _bid(inputs: dict[str, Any]) -> dict[str, Any]:
    buffer, discount = inputs["buffer_margin_pct"], inputs["discount_to_mtm"]
    account = ForSale(
        inputs["mark_to_market"], inputs["maintenance_margin"], inputs["reserved_cash"]
    )
    largest = account.largest_share(buffer, discount)
    share = min(inputs["want_fraction"], largest)
    after = account.after_bid(share, discount)
    return {
        "buffer_margin": account.buffer_margin(buffer),
        "max_fraction": largest,
        "bid_price": account.bid_price(share, discount),
        "fraction_taken": share,
        "post_mtm": after.mark_to_market,
        "post_maintenance_margin": after.maintenance_margin,
        "post_buffer_margin": after.buffer_margin(buffer),
        "post_max_fraction": after.largest_share(buffer, discount),
    }
