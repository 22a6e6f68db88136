"""Which liquidation order of a bucket was open when a fill came, told from the orders alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.record_codec import decode
from tests.simulation.log import Entry
from tests.simulation.reading import applied_end

Place = tuple[str, str]
ENDS = frozenset({"COMPLETED", "TAKE_OVER"})


class OpenOrders:
    """The orders of one partition: each is open from its decision on, until another or the end."""

    def __init__(self, liquidations: Iterable[Entry]) -> None:
        self._said: dict[Place, list[tuple[int, str, int]]] = defaultdict(list)
        """Bucket -> (fills applied before the decision, open order or none, bankruptcy price)."""
        for entry in liquidations:
            record = decode(entry.value or b"", "liquidation")[1]
            end = applied_end(entry, "fills")
            said = self._said[record["account_id"], record["bucket"]]
            if record["action"] == "REDUCE":
                price_e8 = record["bankruptcy_price_e8"] or 0
                said.append((end, record["liquidation_id"], price_e8))
            elif record["action"] in ENDS:
                said.append((end, "", 0))

    def answered(self, offset: int, fill: Mapping[str, Any]) -> int | None:
        """Bankruptcy price, 0 none, of the open order that the fill answers; None: it does not."""
        bucket = fill["instrument_id"] if fill["margin_mode"] == "ISOLATED" else "cross"
        before = [one for one in self._said[fill["account_id"], bucket] if one[0] <= offset]
        _, name, price_e8 = before[-1] if before else (0, "", 0)
        return price_e8 if name and name == fill["liquidation_id"] else None
