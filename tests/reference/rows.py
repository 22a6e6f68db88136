"""Rows of a table by key, in a dict: what the compiled index must find."""

from collections.abc import Hashable, Iterable


class RowsByKey:
    """The row freed last is used first; else the next one behind all others."""

    def __init__(self) -> None:
        self.row_of: dict[Hashable, int] = {}
        self._free: list[int] = []
        self._end = 0

    def found(self, keys: Iterable[Hashable]) -> list[int]:
        return [self.row_of.get(key, -1) for key in keys]

    def rows(self, keys: Iterable[Hashable]) -> list[int]:
        return [self._row(key) for key in keys]

    def release(self, keys: Iterable[Hashable]) -> list[int]:
        """The rows that they had, in the order in which they are freed."""
        rows = [self.row_of.pop(key) for key in keys]
        self._free += rows
        return rows

    def _row(self, key: Hashable) -> int:
        if key not in self.row_of:
            self.row_of[key] = self._free.pop() if self._free else self._end
            self._end = max(self._end, self.row_of[key] + 1)
        return self.row_of[key]
