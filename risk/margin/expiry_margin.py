"""Portfolio margin by expiry: each is discounted on its own, its skew and basis turn against it.

The recipe of Derive's portfolio margin, version 2, with all its numbers as parameters
(`risk/scenarios/sets/derive-pmrm2.toml`). Discounts depend on the sign of an expiry's value, so
this is no plain sum over positions. It is made in floats: terms are sorted before they are summed,
so that the order of positions does not matter, and requirements are rounded up once.
"""

from dataclasses import dataclass, replace

import numpy as np

from risk.holdings import Bools
from risk.margin.contingencies import naked_shorts
from risk.margin.rounding import up_e8
from risk.margin.scenario_sums import rows_by_bucket, sorted_sums
from risk.scenarios.grid import Kind, ScenarioSet, VolatilityMove
from risk.scenarios.shock import PricedContracts, settled_part, shocked_values, value
from risk.valuation import sum_by
from schemas.units import Floats, Int64s

Positions = tuple[Int64s, Int64s, Int64s]
"""(bucket, instrument, quantity_e8), [P] each, in any order."""
NO_EXPIRY = -1
YEAR_S = 365 * 86_400.0


@dataclass(frozen=True, slots=True)
class ExpiryRule:
    """Numbers of the recipe; read it from a table with `grid.parameters`."""

    maintenance_factor: float = 1.0
    initial_factor: float = 1.0
    """Shares of the worst loss."""
    long_discount: float = 1.0
    """An expiry worth something counts long_discount x exp(-years x (rate x scale + add))."""
    long_rate_scale: float = 0.0
    long_rate_add: float = 0.0
    short_discount: float = 1.0
    """One that owes counts short_discount x exp(years x ...), at most 1 / its own discount."""
    short_rate_scale: float = 0.0
    short_rate_add: float = 0.0
    basis_up: float = 0.0
    """Moves of a forward by itself; its loss counts basis_base + basis_a_year x years."""
    basis_down: float = 0.0
    basis_base: float = 0.0
    basis_a_year: float = 0.0
    peg_threshold: float = 0.0
    """What the stable coin lacks to it, x peg_factor, is added to the initial factor."""
    peg_factor: float = 0.0
    confidence_threshold: float = 0.0
    """Below it (1 - confidence) x charge x notional is added to initial margin."""
    confidence_charge: float = 0.0
    perpetual_maintenance: float = 0.0
    perpetual_initial: float = 0.0
    """Shares of the notional of perpetuals; initial charges come on top of maintenance."""
    naked_maintenance: float = 0.0
    naked_initial: float = 0.0
    """Shares of the spot, for each short option that nothing at its strike covers."""
    settlement_s: float = 0.0
    """Seconds before expiry over which the settlement price is averaged (`settled_part`)."""


@dataclass(frozen=True, slots=True)
class ExpiryBook:
    """The instruments, collateral among them."""

    contracts: PricedContracts  # its discounts and fixed parts are not read: the rule makes them
    expiry: Int64s  # [I] row of the expiry of an option, NO_EXPIRY for what is none
    rate: Floats  # [I] interest rate of the expiry
    confidence: Floats  # [I] in the prices that value the instrument, 0..1
    spot: Floats  # [I] price of the underlying; not read for collateral
    collateral: Bools  # [I]
    moves: Bools  # [I] collateral that moves with the spot in scenarios; not read otherwise
    haircut: Floats  # [I] of collateral
    initial_haircut: Floats  # [I] on top of it


@dataclass(frozen=True, slots=True)
class ExpiryMargin:
    """What each bucket requires, and what it is made of."""

    maintenance_margin_e8: Int64s  # [N]
    initial_margin_e8: Int64s  # [N]
    worst: Int64s  # [N] first scenario of the lowest profit, or S: the basis charge is larger
    profit: Floats  # [N, S]
    basis: Floats  # [N] never positive
    option_value: Floats  # [N]
    collateral_value: Floats  # [N]


def static_discounts(years: Floats, rate: Floats, rule: ExpiryRule) -> tuple[Floats, Floats]:
    """What the value of an expiry is multiplied by where it is positive, and where negative."""
    long = rule.long_discount * np.exp(-years * (rate * rule.long_rate_scale + rule.long_rate_add))
    short = rule.short_discount * np.exp(
        years * (rate * rule.short_rate_scale + rule.short_rate_add)
    )
    return long, np.minimum(np.exp(rate * years), short)


def expiry_margin(
    positions: Positions,
    book: ExpiryBook,
    scenarios: ScenarioSet,
    rule: ExpiryRule,
    *,
    spot_confidence: Floats,
    stable_price: float = 1.0,
) -> ExpiryMargin:
    """Requirements of all buckets, as many as `spot_confidence` [N] has rows.

    MM = factor x worst loss + contingencies, IM the same with its own factor and more of them.
    The worst loss is the largest of the scenarios' and of the basis charge.

    Raises ValueError as `rows_by_bucket` does, OverflowError where a requirement does not fit.
    """
    size = len(spot_confidence)
    priced = _priced(book, rule, stable_price)
    groups = _Groups(positions, priced, size)
    profit, basis, option_value = _options(groups, priced, scenarios, rule)
    linear, collateral_value = _others(positions, priced, scenarios, size)
    profit += linear
    lowest = profit.min(axis=1)
    worst = np.where(basis < lowest, len(scenarios), profit.argmin(axis=1))
    loss = -np.minimum(np.minimum(basis, lowest), 0)
    maintenance, initial = _contingencies(positions, groups, priced, rule, spot_confidence)
    peg = max(0.0, rule.peg_threshold - stable_price) * rule.peg_factor
    return ExpiryMargin(
        up_e8(1e8 * (rule.maintenance_factor * loss + maintenance)),
        up_e8(1e8 * ((rule.initial_factor + peg) * loss + maintenance + initial)),
        worst,
        profit,
        basis,
        option_value,
        collateral_value,
    )


def _priced(book: ExpiryBook, rule: ExpiryRule, stable_price: float) -> ExpiryBook:
    """The book in the stable coin, options discounted at their rates, settled parts fixed."""
    contracts = book.contracts
    fixed = settled_part(contracts.forward, contracts.years * YEAR_S, rule.settlement_s)
    contracts = replace(
        contracts,
        forward=contracts.forward / np.where(book.collateral, stable_price, 1.0),
        discount=np.exp(-book.rate * contracts.years),
        fixed=np.where(book.expiry == NO_EXPIRY, 0.0, fixed),
    )
    return replace(book, contracts=contracts)


class _Groups:
    """Options by bucket and expiry."""

    def __init__(self, positions: Positions, book: ExpiryBook, size: int) -> None:
        rows = np.flatnonzero(book.expiry[positions[1]] != NO_EXPIRY)
        self.size = size
        self.bucket, self.instrument, self.quantity_e8 = (column[rows] for column in positions)
        expiries = int(book.expiry.max(initial=0)) + 1
        cell, first, group = np.unique(
            self.bucket * expiries + book.expiry[self.instrument],
            return_index=True,
            return_inverse=True,
        )
        self.group = group
        self.owner = cell // expiries  # [G] bucket
        self.sample = self.instrument[first]  # [G] an instrument of the expiry


def _options(
    groups: _Groups, book: ExpiryBook, scenarios: ScenarioSet, rule: ExpiryRule
) -> tuple[Floats, Floats, Floats]:
    """Profit in each scenario [N, S], basis charge [N] and value [N] of the options."""
    contracts, count = book.contracts, len(scenarios)
    still = np.array([rule.basis_up, rule.basis_down])
    basis_moves = replace(
        scenarios,
        spot=still,
        volatility=np.full(2, VolatilityMove.NONE, np.int64),
        spot_range=1.0,
    )
    values = np.concatenate(
        (
            value(contracts)[:, None],
            shocked_values(contracts, scenarios),
            shocked_values(contracts, basis_moves),
        ),
        axis=1,
    )
    held = _sums((groups.group, groups.instrument, groups.quantity_e8), values, len(groups.owner))
    now, shocked, moved = held[:, :1], held[:, 1 : 1 + count], held[:, 1 + count :]
    years = contracts.years[groups.sample, None]
    long, short = static_discounts(years, book.rate[groups.sample, None], rule)
    profit = (shocked * np.where(shocked >= 0, long, short) - now) * scenarios.weight
    profit = np.where(scenarios.kind == Kind.SKEW, -np.abs(profit), profit)
    basis = np.minimum(0, (moved - now).min(axis=1, keepdims=True))
    basis = basis * (rule.basis_base + rule.basis_a_year * years)
    total = _total(groups.owner, np.concatenate((profit, basis, now), axis=1), groups.size)
    return total[:, :count], total[:, count], total[:, count + 1]


def _others(
    positions: Positions, book: ExpiryBook, scenarios: ScenarioSet, size: int
) -> tuple[Floats, Floats]:
    """Profit [N, S] of what does not expire, and value [N] of the collateral."""
    contracts = book.contracts
    worth = value(contracts)
    earns = (book.expiry == NO_EXPIRY) & (book.moves | ~book.collateral)
    weighted = (worth[:, None] * scenarios.moves) * scenarios.weight
    columns = np.concatenate(
        (np.where(earns[:, None], weighted, 0), np.where(book.collateral, worth, 0)[:, None]),
        axis=1,
    )
    total = _sums(positions, columns, size)
    return total[:, :-1], total[:, -1]


def _contingencies(
    positions: Positions,
    groups: _Groups,
    book: ExpiryBook,
    rule: ExpiryRule,
    spot_confidence: Floats,
) -> tuple[Floats, Floats]:
    """Charges of maintenance and further charges of initial margin [N]."""
    bucket, instrument, quantity_e8 = positions
    collateral, confidence = book.collateral[instrument], book.confidence[instrument]
    perpetual = ~collateral & (book.expiry[instrument] == NO_EXPIRY)
    shared = spot_confidence.copy()  # doubt about a perpetual is doubt about the whole bucket
    np.minimum.at(shared, bucket[perpetual], confidence[perpetual])
    price = np.where(collateral, value(book.contracts)[instrument], book.spot[instrument])
    notional = np.abs(quantity_e8) / 1e8 * price * (collateral | perpetual)
    seen = np.where(collateral, spot_confidence[bucket], shared[bucket])
    doubt = _doubt(np.minimum(confidence, seen), rule)
    maintenance = np.where(collateral, book.haircut[instrument], rule.perpetual_maintenance)
    initial = np.where(collateral, book.initial_haircut[instrument], rule.perpetual_initial)
    held = np.stack((notional * maintenance, notional * (initial + doubt)), axis=1)

    gross_e8 = sum_by(groups.group, np.abs(groups.quantity_e8), len(groups.owner))
    least = shared[groups.owner]
    np.minimum.at(least, groups.group, book.confidence[groups.instrument])
    doubted = gross_e8 / 1e8 * book.spot[groups.sample] * _doubt(least, rule)
    unsure = np.stack((np.zeros_like(doubted), doubted), axis=1)

    strike_e8 = np.rint(book.contracts.strike[groups.instrument] * 1e8).astype(np.int64)
    _, naked_e8, first = naked_shorts(np.stack((groups.group, strike_e8)), groups.quantity_e8)
    short = (naked_e8 / 1e8 * book.spot[groups.instrument[first]])[:, None]
    naked = short * np.array([rule.naked_maintenance, rule.naked_initial])

    owner = np.concatenate((bucket, groups.owner, groups.bucket[first]))
    charges = _total(owner, np.concatenate((held, unsure, naked)), groups.size)
    return charges[:, 0], charges[:, 1]


def _doubt(confidence: Floats, rule: ExpiryRule) -> Floats:
    """Share of the notional that a price of low confidence adds to initial margin."""
    missing = (1 - confidence) * rule.confidence_charge
    return np.where(confidence < rule.confidence_threshold, missing, 0.0)


def _sums(rows: Positions, unit: Floats, size: int) -> Floats:
    """Sums of quantity x unit of each bucket [size, columns], whatever the order of rows."""
    sums = np.zeros((size, unit.shape[1]))
    sorted_sums(rows_by_bucket(rows, unit, size), sums)
    return sums


def _total(owner: Int64s, amounts: Floats, size: int) -> Floats:
    """Sums of the rows of amounts by owner, whatever their order."""
    ones_e8 = np.full(len(owner), 10**8, np.int64)
    return _sums((owner, np.arange(len(owner)), ones_e8), amounts, size)
