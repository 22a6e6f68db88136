"""All kernels, and the rows that tell of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.kernels import portfolio, pricing, tiered

Row = tuple[str, str, str, str]
TINY = 2_000


@dataclass(frozen=True, slots=True)
class KernelResults:
    """What each kernel's `measure` told."""

    tiered: dict[str, Any]
    portfolio: dict[str, Any]
    pricing: dict[str, Any]


def measure(*, runs: int, tiny: bool, say: Callable[[str], None]) -> KernelResults:
    """Time every kernel on checked results; ContenderFailedError where one is wrong."""
    say("kernels: tiers")
    of_tiers = tiered.measure(runs, TINY) if tiny else tiered.measure(runs)
    say("kernels: scenarios")
    of_scenarios = portfolio.measure(runs, TINY) if tiny else portfolio.measure(runs)
    say("kernels: options")
    of_options = pricing.measure(runs, TINY) if tiny else pricing.measure(runs)
    return KernelResults(of_tiers, of_scenarios, of_options)


def kernel_rows(results: KernelResults) -> list[Row]:
    """What, median (of option prices the least), nothing, of what."""
    tiers, scenarios, options = results.tiered, results.portfolio, results.pricing
    book = f"{tiers['positions']:,} positions, {tiers['accounts']:,} accounts"
    touched = f"{tiers['tick_accounts']:,} accounts, 1 of {tiers['instruments']} instruments"
    grid = f"{scenarios['accounts']:,} accounts x 5 positions x {scenarios['scenarios']} scenarios"
    priced = f"{options['options']:,} options, least of the runs"
    return [
        ("re-margin by tiers, all", f"{tiers['kernel_s'] * 1e3:,.0f} ms", "", book),
        ("re-margin by tiers over plain read", f"{tiers['ratio']:.1f} x", "", book),
        ("re-margin of what one tick touches", f"{tiers['tick_s'] * 1e3:.2f} ms", "", touched),
        ("portfolio margin, worst losses", f"{scenarios['scan_s'] * 1e3:,.0f} ms", "", grid),
        ("portfolio margin over plain read", f"{scenarios['ratio']:.1f} x", "", grid),
        ("Black-76 with all Greeks", f"{options['greeks_s'] * 1e3:,.0f} ms", "", priced),
        ("Black-76 with all Greeks over plain read", f"{options['ratio']:.1f} x", "", priced),
        ("implied volatility", f"{options['implied_us_each']:.2f} us each", "", priced),
    ]
