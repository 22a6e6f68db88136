"""Health of one cross account, the slow way: token by token, market by market, in fractions."""

from fractions import Fraction
from typing import NamedTuple


class Token(NamedTuple):
    """Prices and weights as an asset and as a liability."""

    low: Fraction
    high: Fraction
    asset: Fraction
    liability: Fraction

    def value(self, amount: Fraction) -> Fraction:
        if amount < 0:
            return amount * self.high * self.liability
        return amount * self.low * self.asset


class Perpetual(NamedTuple):
    """A position with its orders; amounts in the settlement token."""

    settlement: int
    quantity: Fraction
    quote: Fraction
    bids: Fraction
    asks: Fraction
    base: Token
    profit_weight: Fraction


class Market(NamedTuple):
    """Funds that spot orders hold."""

    base: int
    quote: int
    reserved_base: Fraction
    reserved_quote: Fraction


def health(
    tokens: list[Token],
    balances: list[tuple[int, Fraction]],
    perpetuals: list[Perpetual],
    markets: list[Market],
) -> Fraction:
    net = [Fraction(0)] * len(tokens)
    for token, amount in balances:
        net[token] += amount
    for held in perpetuals:
        base = held.base
        bids = base.value(held.quantity + held.bids) - held.bids * base.high
        asks = base.value(held.quantity - held.asks) + held.asks * base.low
        profit = held.quote + min(bids, asks)
        net[held.settlement] += profit * held.profit_weight if profit > 0 else profit
    total = sum(token.value(amount) for token, amount in zip(tokens, net, strict=True))
    turned = []
    most = list(net)
    for base, quote, reserved_base, reserved_quote in markets:
        as_base = reserved_base + reserved_quote * tokens[quote].low / tokens[base].high
        as_quote = reserved_quote + reserved_base * tokens[base].low / tokens[quote].high
        turned.append(((base, as_base), (quote, as_quote)))
        most[base] += as_base
        most[quote] += as_quote
    for outcomes in turned:
        total += min(
            tokens[token].value(most[token]) - tokens[token].value(most[token] - amount)
            for token, amount in outcomes
        )
    return Fraction(total)
