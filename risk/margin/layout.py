"""Columns of the kernel's tables, and the numbers of what does not fit."""

import numpy as np

# market [., I]: of an inverse contract MULTIPLIER, MARK and PAID_AT, the price of the settlement
# asset, are 1, 0 and 1; FACE, DIVISOR and WORTH are its own
MULTIPLIER, MARK, PAID_AT, INVERSE, FACE, DIVISOR, WORTH, SETTLEMENT = range(8)
PRICE, DEBT_PRICE, BORROW = range(3)  # assets [A]
WEIGHT, CAP = range(2)  # limits [I] on profits
ROW, VALUE, PROFIT, NOTIONAL, MARGIN, NET, ASSET_VALUE, EQUITY, INITIAL, FITS = range(10)
FAILURES = 16
UNORDERED, NONE = -1, np.iinfo(np.int64).max

Span = tuple[int, int]
"""First bucket of a part, and the one after its last."""
