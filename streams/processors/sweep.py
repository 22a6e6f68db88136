"""The slow sweep through all accounts, so that the history holds each of them ever again."""

import numpy as np

from schemas.block import Int64s
from schemas.units import US_PER_MS
from streams.state.account_book import AccountBook

PERIOD_MS = 600_000
MOST_PER_S = 250
"""A book that is too large for that in a period is given longer."""
MOST_AT_ONCE = 250
"""What a clock that has stood still for long brings at most in one decision."""


class Sweep:
    """Spreads the accounts evenly over a period of the board's clock; the next one follows it."""

    def __init__(self, book: AccountBook) -> None:
        self._book = book
        self._rows = np.empty(0, np.int32)
        self._done = 0
        self._began_us = 0

    def due(self, now_us: int) -> Int64s:
        """Rows of the accounts whose turn has come since the last call."""
        swept_us = max(PERIOD_MS * US_PER_MS, len(self._rows) * 1_000_000 // MOST_PER_S)
        elapsed_us = now_us - self._began_us
        if self._done == len(self._rows) and elapsed_us >= swept_us:
            self._rows, self._done = self._book.accounts.live_rows().astype(np.int32), 0
            self._began_us, elapsed_us = now_us, 0
        end = min(len(self._rows) * elapsed_us // swept_us, len(self._rows))
        first, self._done = self._done, min(end, self._done + MOST_AT_ONCE)
        return self._rows[first : self._done].astype(np.int64)
