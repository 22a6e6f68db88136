"""What the slices of a partition pass on: penalties to the funds, socialised losses to winners."""

from collections import Counter

import numpy as np

from risk.liquidation.deleveraging import in_turn_e8
from risk.liquidation.socialising import shares_e8
from schemas.units import US_PER_MS
from streams.processors.candidates import gains
from streams.processors.outputs import Output
from streams.processors.transfers import Cause, Leg, transfer
from streams.state.apply_transfers import SOCIALISED
from streams.state.ledger import INSURANCE, Ledger
from streams.state.mark_board import MarkBoard

PENALTIES, LOSSES = "@penalties", f"@{SOCIALISED}"
EVERY_US = 1_000 * US_PER_MS


class Slices:
    """Looks at the slices of the partitions held; one transfer of each at a time."""

    def __init__(self, ledger: Ledger, board: MarkBoard) -> None:
        self._ledger = ledger
        self._board = board
        self._swept_us = 0

    def decide(self, partitions: list[int]) -> list[Output]:
        outputs = []
        sweeps = self._board.clock_us - self._swept_us >= EVERY_US
        self._swept_us = self._board.clock_us if sweeps else self._swept_us
        for partition, number, kind in self._present(partitions):
            asset = self._ledger.rules.assets[number]
            name = f"{kind}:{asset}#{partition}"
            balance_e8 = self._balance(name, number)
            if kind == LOSSES and balance_e8 < 0:
                outputs += self._share(name, (asset, partition), -balance_e8)
            elif kind == PENALTIES and sweeps and balance_e8 > 0:
                leg = Leg(INSURANCE + asset, asset=asset, amount_e8=balance_e8)
                outputs += self._transfer("PENALTY", name, partition, [leg.to(name), leg])
        return outputs

    def _present(self, partitions: list[int]) -> list[tuple[int, int, str]]:
        """Partition, asset's number and kind of every slice that there is, in that order."""
        numbers, found = self._ledger.rules.asset_number, []
        for kind in (LOSSES, PENALTIES):
            for name in self._ledger.book.system_of.get(kind, ()):
                asset, _, partition = name.removeprefix(f"{kind}:").rpartition("#")
                if asset in numbers and partition.isdecimal():
                    found.append((int(partition), numbers[asset], kind))
        return sorted(one for one in found if one[0] in partitions)

    def _share(self, name: str, place: tuple[str, int], owed_e8: int) -> list[Output]:
        """The partition's part of a loss among its winners; what they cannot bear goes back.

        A winner gives of its gain, not of its money: positions that gain cost it as much more.
        So what it gave is no gain any more, whoever asks next.
        """
        asset, partition = place
        winners = gains(self._ledger, self._board, asset, partition)
        shares = shares_e8(np.array([one.gain_e8 for one in winners], np.int64), owed_e8).tolist()
        legs: list[Leg] = []
        cost_e8: Counter[str] = Counter()
        for one, share in zip(winners, shares, strict=True):
            parts = in_turn_e8(np.array([*one.profits_e8.values()], np.int64), share).tolist()
            for instrument, part in zip(one.profits_e8, parts, strict=True):
                if part:
                    account, pool = one.account_id, one.bucket
                    legs.append(Leg(account, pool, instrument_id=instrument, cost_e8=part))
                    cost_e8[instrument] += part
        if uncovered_e8 := owed_e8 - sum(shares):
            leg = Leg(INSURANCE + asset, asset=asset, amount_e8=-uncovered_e8)
            legs += [leg, leg.to(name)]
        # the slice's own come last: until they are read it is known that legs are on their way
        legs += [
            Leg(name, instrument_id=instrument, cost_e8=-part)
            for instrument, part in cost_e8.items()
        ]
        return self._transfer("SOCIALISED_LOSS", name, partition, legs)

    def _balance(self, name: str, asset: int) -> int:
        """Of a slice that may act; 0 while a leg of its own is awaited."""
        if self._ledger.awaited.get((self._ledger.home(name), name)):
            return 0
        return self._ledger.fund_balance_e8(name, asset)

    def _transfer(self, kind: str, name: str, partition: int, legs: list[Leg]) -> list[Output]:
        book = self._ledger.book
        bucket = book.cross_bucket(book.system[name])
        book.buckets["episode"][bucket] += 1
        book.touch(np.array([bucket]))  # the number goes with the legs: never given twice
        transfer_id = f"{name}/{book.buckets['episode'][bucket]}"
        return transfer(
            self._ledger, Cause(kind, self._board.clock_us, "", partition), transfer_id, legs
        )
