"""Slow twins of the waterfall's arithmetic: fractions and plain loops, one unit at a time."""

from fractions import Fraction
from itertools import pairwise
from math import ceil, floor


def score(profit: int, value: int, equity: int, notional: int) -> float:
    """Of a position that cost something, in an account with equity and positions."""
    earned, leverage = Fraction(profit, abs(value)), Fraction(notional, equity)
    return float(earned * leverage if profit >= 0 else earned / leverage)


def order(scores: list[float], accounts: list[str]) -> list[int]:
    return sorted(range(len(scores)), key=lambda row: (-scores[row], accounts[row]))


def take(available: list[int], needed: int) -> list[int]:
    """Each candidate gives what those before it left to be taken."""
    return [max(0, min(one, needed - sum(available[:row]))) for row, one in enumerate(available)]


def concessions(taken: list[int], room: list[int], deficit: int) -> list[int]:
    """Shares by fraction, then one unit after the other to the first that has room."""
    total = sum(taken)
    given = [
        min(floor(Fraction(deficit * one, total)) if total else 0, max(space, 0))
        for one, space in zip(taken, room, strict=True)
    ]
    while sum(given) < deficit:
        spare = [row for row, space in enumerate(room) if given[row] < space]
        if not spare:
            break
        given[spare[0]] += 1
    return given


def shares(gains: list[int], loss: int) -> list[int]:
    """Shares by fraction, then one unit after the other to the last that has room."""
    total = sum(gains)
    borne = [floor(Fraction(gain * min(loss, total), total)) if total else 0 for gain in gains]
    while sum(borne) < min(loss, total):
        borne[max(row for row, gain in enumerate(gains) if borne[row] < gain)] += 1
    return borne


def price(points: list[tuple[int, int]], now: int) -> Fraction:
    """On the line through the (time, price) points, level outside them."""
    if now <= points[0][0]:
        return Fraction(points[0][1])
    for (start, left), (end, right) in pairwise(points):
        if now < end:
            return left + Fraction((right - left) * (now - start), end - start)
    return Fraction(points[-1][1])


def award(
    bids: list[tuple[int, int]], quantity: int, price: int, *, long: bool, sealed: bool
) -> list[int]:
    """One unit after the other to the best (price, quantity) bid that is not filled."""
    awarded = [0] * len(bids)
    for _ in range(quantity):
        open_bids = [
            row
            for row, (offered, wanted) in enumerate(bids)
            if awarded[row] < wanted and (offered >= price if long else offered <= price)
        ]
        if not open_bids:
            break
        best = (max if long else min)(bids[row][0] for row in open_bids)
        first = next(row for row in open_bids if not sealed or bids[row][0] == best)
        awarded[first] += 1
    return awarded


def excess_share(allowance: int, margin: int, carry: Fraction) -> Fraction:
    """The least share such that the allowance carries the rest."""
    if allowance <= 0:
        return Fraction(1)
    return max(Fraction(0), 1 - allowance / (carry * margin)) if carry * margin else Fraction(0)


def shed(quantity: int, share: Fraction, lot: int) -> int:
    return min(ceil(abs(quantity) * share / lot) * lot, abs(quantity))


def settle(
    profits: list[int], funds: list[int], pool: int
) -> tuple[list[int], list[int], list[int]]:
    """Paid, covered and received: party by party, then the shares of what came in."""
    paid, covered = [], []
    for profit, own in zip(profits, funds, strict=True):
        paid.append(min(max(-profit, 0), own))
        covered.append(min(max(-profit, 0) - paid[-1], pool))
        pool -= covered[-1]
    return paid, covered, shares([max(profit, 0) for profit in profits], sum(paid) + sum(covered))


def disposal(
    quantity: int, available: int, lot: int, *, share: Fraction, depth: Fraction, small: int
) -> int:
    """A share of the position, all of a small one, at most a share of the book, up to lots."""
    held = abs(quantity)
    wanted = held if held <= small else ceil(held * share)
    return min(ceil(Fraction(min(wanted, ceil(available * depth)), lot)) * lot, held)
