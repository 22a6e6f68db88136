"""What contracts are worth, by the records of `instruments`."""

from collections.abc import Mapping
from typing import Any

from schemas.units import E8
from streams.market.exact import divide_e8, multiply_e8

INVERSE = frozenset({"INVERSE_PERP", "INVERSE_FUTURE"})


class ContractValues:
    """Values in the settlement asset, and in USD for what is added up over instruments."""

    def __init__(self) -> None:
        self._records: dict[str, Mapping[str, Any]] = {}

    def take(self, record: Mapping[str, Any]) -> None:
        self._records[record["instrument_id"]] = record

    def asset(self, instrument_id: str) -> str:
        """Settlement asset."""
        return str(self._records[instrument_id]["settlement_asset"])

    def value_e8(self, instrument_id: str, quantity_e8: int, price_e8: int) -> int:
        """Of a signed quantity, in the settlement asset; half away from zero."""
        record = self._records[instrument_id]
        size_e8 = multiply_e8(quantity_e8, record["multiplier_e8"])
        if record["kind"] in INVERSE:
            return -divide_e8(size_e8, price_e8)
        return multiply_e8(size_e8, price_e8)

    def notional_usd(self, instrument_id: str, quantity_e8: int, price_e8: int) -> float:
        """Absolute; quote currencies other than the dollar's are taken for dollars."""
        return abs(
            self.usd(instrument_id, self.value_e8(instrument_id, quantity_e8, price_e8), price_e8)
        )

    def usd(self, instrument_id: str, amount_e8: int, price_e8: int) -> float:
        """An amount of an instrument's settlement asset; a coin at the instrument's own price."""
        inverse = self._records[instrument_id]["kind"] in INVERSE
        return amount_e8 / E8 * (price_e8 / E8 if inverse else 1.0)
