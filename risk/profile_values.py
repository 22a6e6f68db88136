"""Numbers of a profile's file as exact integers, and names that are checked."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from risk.tables import TierRows
from schemas.units import PPM, e8

Table = Mapping[str, Any]
Ratio = tuple[str, int]
"""A name and what 1 is in its unit, such as ppm."""


def known(table: Any, names: Iterable[str], where: str) -> Table:
    """The table; ValueError where it is none or holds a name that is not known."""
    if not isinstance(table, Mapping):
        raise ValueError(f"{where} = {table!r} must be a table")
    allowed = sorted(names)
    for name in table:
        if name not in allowed:
            raise ValueError(f"{where}: {name!r} is unknown, known are {allowed}")
    return table


def ratio(value: Any, what: str, *, unit: int = PPM, most: float = 1.0) -> int:
    """A fraction in 0..most as a whole number of 1 / unit, exact."""
    exact = _decimal(value, what) * unit
    if exact != exact.to_integral_value():
        raise ValueError(f"{what} = {value!r} has more than {len(str(unit)) - 1} decimals")
    if not 0 <= exact <= Decimal(str(most)) * unit:
        raise ValueError(f"{what} = {value!r} is outside 0..{most}")
    return int(exact)


def amount(value: Any, what: str) -> int:
    """An amount >= 0 at 1e-8, exact."""
    try:
        result = e8(_decimal(value, what))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{what} = {value!r}: {error}") from error
    if result < 0:
        raise ValueError(f"{what} = {value!r} must not be negative")
    return result


def flag(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{what} = {value!r} must be true or false")
    return value


def tier_rows(rows: Any, fraction_ppm: int | None, what: str) -> TierRows:
    """Rows {floor, initial, maintenance} as (floor_e8, initial_ppm, maintenance_ppm).

    Where a row has no maintenance rate it is that fraction of its initial rate, rounded down.
    """
    result = []
    for number, row in enumerate(_sequence(rows, what)):
        where = f"{what}[{number}]"
        known(row, ("floor", "initial", "maintenance"), where)
        floor = amount(row.get("floor", 0), f"{where}.floor")
        initial = ratio(row.get("initial"), f"{where}.initial")
        if "maintenance" in row:
            maintenance = ratio(row["maintenance"], f"{where}.maintenance")
        elif fraction_ppm is not None:
            maintenance = initial * fraction_ppm // PPM
        else:
            raise ValueError(f"{where}: neither a maintenance rate nor maintenance_fraction")
        result.append((floor, initial, maintenance))
    return tuple(result)


def haircut_rows(rows: Any, what: str) -> tuple[tuple[int, int], ...]:
    """Rows {floor, haircut} as (floor_e8, rate_ppm)."""
    result = []
    for number, row in enumerate(_sequence(rows, what)):
        where = f"{what}[{number}]"
        known(row, ("floor", "haircut"), where)
        floor = amount(row.get("floor", 0), f"{where}.floor")
        result.append((floor, ratio(row.get("haircut"), f"{where}.haircut")))
    return tuple(result)


def _sequence(rows: Any, what: str) -> Sequence[Any]:
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise ValueError(f"{what} = {rows!r} must be a list of tables")
    return rows


def _decimal(value: Any, what: str) -> Decimal:
    """The shortest decimal of a number: 0.1 is exactly a tenth."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} = {value!r} must be a number")
    result = Decimal(str(value))
    if not result.is_finite():
        raise ValueError(f"{what} = {value!r} must be a finite number")
    return result
