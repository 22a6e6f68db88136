"""The tables and views as their files define them, and the numbered changes that led there."""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TABLES_FOLDER = Path(__file__).parent / "tables"
MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"

COLUMN = re.compile(
    r"^ {4}(?!PROJECTION )`?([\w.]+)`? (.+?)(?: CODEC\(| COMMENT | DEFAULT |,?$)", re.M
)
PROJECTION = re.compile(r"^ {4}PROJECTION (\w+) \(\n(.+?)\n {4}\)", re.M | re.S)
SORTING_KEY = re.compile(r"^ORDER BY \(?(.+?)\)?$", re.M)


@dataclass(frozen=True)
class Definition:
    """One file of the folder `tables`: `name` is the file's and that of its table or view."""

    name: str
    statement: str

    @property
    def is_view(self) -> bool:
        return " VIEW " in self.statement.split("(", 1)[0].split("AS", 1)[0]

    @cached_property
    def columns(self) -> dict[str, str]:
        """Names and types of a table's columns, spelled as ClickHouse spells them back."""
        body = self.statement.split(" (\n", 1)[1].split("\n)\n", 1)[0]
        return {
            name: kind.replace("Decimal64(8)", "Decimal(18, 8)")
            for name, kind in COLUMN.findall(body)
        }

    @cached_property
    def projections(self) -> dict[str, str]:
        """Names and queries of a table's projections, spelled as ClickHouse spells them back."""
        return {name: " ".join(query.split()) for name, query in PROJECTION.findall(self.statement)}

    @cached_property
    def sorting_key(self) -> str:
        """What a table is ordered by, as ClickHouse spells it back."""
        found = SORTING_KEY.search(self.statement)
        assert found, f"{self.name}.sql has no ORDER BY of its own line"
        return found[1]


@dataclass(frozen=True)
class Migration:
    """One file of the folder `migrations`, `0001_name.sql`: from the state before to this one."""

    number: int
    name: str
    text: str

    @property
    def crc(self) -> int:
        return zlib.crc32(self.text.encode())

    @property
    def statements(self) -> list[str]:
        """Its statements, each of which ends in a semicolon at the end of a line."""
        return [one for one in re.split(r";\n", self.text) if one.strip()]


def tables(folder: Path = TABLES_FOLDER) -> list[Definition]:
    """All tables, by name."""
    return [one for one in _definitions(folder) if not one.is_view]


def views(folder: Path = TABLES_FOLDER) -> list[Definition]:
    """All views, those that others read first."""
    left = {one.name: one for one in _definitions(folder) if one.is_view}
    ordered: list[Definition] = []
    while left:
        ready = [one for one in left.values() if not _names_in(one, left)]
        assert ready, f"views that read each other in a ring: {', '.join(left)}"
        ordered += ready
        for one in ready:
            del left[one.name]
    return ordered


def migrations(folder: Path = MIGRATIONS_FOLDER) -> list[Migration]:
    """All changes in their order; ValueError where their numbers are not 1, 2, 3..."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        found.append(Migration(int(path.stem.split("_")[0]), path.stem, path.read_text("utf-8")))
    if [one.number for one in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"{folder}: the numbers of migrations are not 1 to {len(found)}")
    return found


def _definitions(folder: Path) -> list[Definition]:
    return [Definition(path.stem, path.read_text("utf-8")) for path in sorted(folder.glob("*.sql"))]


def _names_in(view: Definition, names: Iterable[str]) -> list[str]:
    return [n for n in names if n != view.name and re.search(rf"\b{n}\b", view.statement)]
