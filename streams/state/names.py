"""Codes of instruments and assets in the changelog: a partition's own, kept when it moves."""

from collections.abc import Mapping, Sequence

import numpy as np

from schemas.block import Int64s
from streams.state.rules import Rules


class UnknownNameError(LookupError):
    """The changelog names something that no record of the broadcast topics lists."""


class Codes:
    """Codes of the names of one kind, by partition; `listed` is the worker's own numbering.

    A worker numbers instruments in the order in which it heard of them, another worker otherwise.
    A partition gives a name its code when it first writes it, and the code goes where it goes.
    """

    def __init__(
        self, kind: str, listed: Sequence[str], number: Mapping[str, int], partitions: int
    ) -> None:
        self.kind = kind
        self._listed = listed
        self._number = number
        self._code = np.full((partitions, 0), -1, np.int64)
        self.names: list[list[str]] = [[] for _ in range(partitions)]
        """By partition: its names, each at the place that is its code."""

    def codes(self, partitions: Int64s, numbers: Int64s) -> Int64s:
        """int64[n]: the code of each number in its partition; given now where it has none."""
        self._widen()
        codes: Int64s = self._code[partitions, numbers]
        missing = codes < 0
        if missing.any():
            width = self._code.shape[1]
            for pair in np.unique(partitions[missing] * width + numbers[missing]).tolist():
                partition, number = divmod(pair, width)
                self._code[partition, number] = len(self.names[partition])
                self.names[partition].append(self._listed[number])
            codes = self._code[partitions, numbers]
        return codes

    def numbers(self, partition: int, codes: Int64s) -> Int64s:
        """int64[n]: the worker's number of each code of a partition; LookupError beyond them."""
        names = self.names[partition]
        known = np.array([self._number[name] for name in names], np.int64)
        if len(codes) and not (codes.min() >= 0 and codes.max() < len(known)):
            raise UnknownNameError(f"code {codes.max()} is beyond the {len(known)} names written")
        return known[codes] if len(codes) else np.empty(0, np.int64)

    def load(self, partition: int, names: Sequence[str]) -> None:
        """Take over a partition's codes; UnknownNameError where the worker does not know one."""
        unknown = [name for name in names if name not in self._number]
        if unknown:
            raise UnknownNameError(", ".join(unknown))
        self.forget(partition)
        self._widen()
        self.names[partition] = list(names)
        for code, name in enumerate(names):
            self._code[partition, self._number[name]] = code

    def forget(self, partition: int) -> None:
        self.names[partition] = []
        self._code[partition] = -1

    def _widen(self) -> None:
        more = len(self._listed) - self._code.shape[1]
        if more > 0:
            new = np.full((len(self._code), more), -1, np.int64)
            self._code = np.concatenate([self._code, new], axis=1)


class Names:
    """The codes of instruments and of assets."""

    def __init__(self, rules: Rules, partitions: int) -> None:
        self.instruments = Codes("instruments", rules.instruments, rules.number, partitions)
        self.assets = Codes("assets", rules.assets, rules.asset_number, partitions)

    def of(self, partition: int) -> dict[str, list[str]]:
        return {
            "instruments": self.instruments.names[partition],
            "assets": self.assets.names[partition],
        }

    def count(self, partition: int) -> int:
        return len(self.instruments.names[partition]) + len(self.assets.names[partition])

    def forget(self, partition: int) -> None:
        self.instruments.forget(partition)
        self.assets.forget(partition)
