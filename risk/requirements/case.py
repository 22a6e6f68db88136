"""The inputs of an evaluation, and which of their rows each rule looks at."""

from dataclasses import dataclass, fields

import numpy as np

from risk.book import Book, Kind, Market, OpenOrders
from risk.holdings import Bools, PositionState, Rules, Terms
from risk.profile import Profile
from risk.requirements.rows import Held
from risk.requirements.view import View, view, with_coins
from schemas.units import Int64s


@dataclass(frozen=True, slots=True)
class Case:
    """A book, its market and the rules it is evaluated by."""

    book: Book
    market: Market
    rules: Rules
    terms: Terms
    profile: Profile
    option: Bools  # [I]
    portfolio: Bools  # [N]

    @staticmethod
    def of(book: Book, market: Market, rules: Rules, terms: Terms, profile: Profile) -> "Case":
        return Case(
            book, market, rules, terms, profile, terms.side != 0, book.kind == Kind.PORTFOLIO
        )

    @property
    def size(self) -> int:
        return len(self.portfolio)

    @property
    def plain(self) -> bool:
        """Neither an option is listed nor a portfolio at hand: tiers are all there is."""
        return not (self.option.any() or self.portfolio.any())

    def held(self) -> Held:
        return Held.of(self.book.positions)

    def standard_options(self, bucket: Int64s, instrument: Int64s) -> Bools:
        """Rows of options that the standard margin is for."""
        return self.option[instrument] & ~self.portfolio[bucket]

    def orders(self, chosen: Bools) -> OpenOrders | None:
        """Those rows of the open orders; None where there are none."""
        orders = self.book.orders
        if orders is None or not chosen.any():
            return None
        return OpenOrders(*(getattr(orders, field.name)[chosen] for field in fields(OpenOrders)))

    def order_rows(self, kind: str) -> Bools:
        """Rows of open orders under the tiers, the standard margin of options, or scenarios."""
        orders = self.book.orders
        if orders is None:
            return np.zeros(0, np.bool_)
        masks = {
            "tiers": ~self.option[orders.instrument] & ~self.portfolio[orders.bucket],
            "options": self.standard_options(orders.bucket, orders.instrument),
            "portfolios": self.portfolio[orders.bucket],
        }
        return masks[kind]

    def with_options_or_scenarios(self) -> Bools:
        """Buckets [N] that hold an option or are portfolios.

        Raises ValueError where the profile has no rule for one of them.
        """
        chosen = self.portfolio.copy()
        if self.plain:
            return chosen
        positions, orders = self.book.positions, self.book.orders
        rows = [(positions.bucket, positions.instrument)]
        if orders is not None:
            rows.append((orders.bucket, orders.instrument))
        for bucket, instrument in rows:
            options = self.standard_options(bucket, instrument)
            chosen[bucket[options]] = True
        name, apart = self.profile.name, np.flatnonzero(chosen & ~self.portfolio)
        if self.profile.options is None and len(apart):
            raise ValueError(f"bucket row {apart[0]}: profile {name!r} has no rule for options")
        if self.profile.portfolio is None and self.portfolio.any():
            row = int(np.flatnonzero(self.portfolio)[0])
            raise ValueError(f"bucket row {row}: profile {name!r} has no rule for portfolios")
        return chosen

    def view(self, chosen: Bools) -> View:
        """The instruments of these buckets, and the coins of portfolios where scenarios move them.

        Of orders only those that are margined with options or scenarios.
        """
        positions, orders = self.book.positions, self.book.orders
        held = np.zeros(len(self.option), np.bool_)
        held[positions.instrument[chosen[positions.bucket]]] = True
        if orders is not None:
            held[orders.instrument[~self.order_rows("tiers")]] = True
        seen = view(np.flatnonzero(held), self.market, self.rules, self.terms)
        if not self.moving_coins():
            return seen
        assert self.market.pricer is not None
        coins = np.flatnonzero(self.market.pricer >= 0)
        coins = coins[self.rules.assets.price_e8[coins] > 0]
        return with_coins(seen, coins, self.market, self.rules, self.terms)

    def moving_coins(self) -> bool:
        """Whether collateral moves in the scenarios."""
        rule = self.profile.portfolio
        moves = rule is not None and rule.extras.collateral_moves
        return moves and self.market.pricer is not None and bool(self.portfolio.any())

    def coins(self, seen: View, state: PositionState) -> Held:
        """What portfolios hold of coins, profits included, as rows of `risk.requirements.view`."""
        positions, balances, instruments = self.book.positions, self.book.balances, len(self.option)
        asset = np.concatenate(
            (balances.asset, self.rules.contracts.settlement[positions.instrument])
        )
        bucket = np.concatenate((balances.bucket, positions.bucket))
        amount_e8 = np.concatenate((balances.amount_e8, state.profit_e8))
        chosen = self.portfolio[bucket] & (seen.place[instruments + asset] >= 0)
        return Held(bucket, instruments + asset, amount_e8).where(chosen)
