"""Columns of the kernel's tables, and the numbers of what does not fit."""

import numpy as np

# market [., I]: MULTIPLIER, MARK and UNIT, the settlement's price, are 1, 0 and 1 of an inverse
# contract, whose own are FACE, DIVISOR and PRICE
MULTIPLIER, MARK, UNIT, INVERSE, FACE, DIVISOR, PRICE_OF, SETTLEMENT = range(8)
PRICE, DEBT_PRICE, BORROW = range(3)  # assets [A]
WEIGHT, CAP = range(2)  # limits [I] on profits
ROW, VALUE, PROFIT, NOTIONAL, MARGIN, NET, ASSET_VALUE, EQUITY, INITIAL, FITS = range(10)
FAILURES = 16
UNORDERED, NONE = -1, np.iinfo(np.int64).max

DENSE = 2
FEW = 8
Span = tuple[int, int]
