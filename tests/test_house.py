"""The rules of the house: who imports whom, how long things are, how files open."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("schemas", "risk", "streams", "sinks")
OURS = frozenset(ROOMS)
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
FRONT_DOOR = ROOT / "risk" / "__init__.py"
"""What users import from; no other `__init__` says anything."""
CHECKED = [*FILES, *sorted((ROOT / "tests").rglob("*.py")), *(ROOT / "benchmarks").rglob("*.py")]

MAY_IMPORT = {
    "schemas": ("schemas",),
    "risk": ("risk", "schemas.units"),
    "sinks": ("sinks", "schemas", "streams.base"),
    "streams/audit": ("streams.audit", "schemas"),
    "streams/base": ("streams.base",),
    "streams/transport": ("streams.transport", "streams.base", "schemas"),
    "streams/state": ("streams.state", "streams.transport", "streams.base", "schemas", "risk"),
    "streams/processors": (
        "streams.processors", "streams.state", "streams.transport", "streams.base", "schemas",
        "risk",
    ),
    "streams/market": ("streams.market", "streams.base", "streams.transport", "schemas"),
    "streams/live": ("streams.live", "streams.base", "streams.transport", "schemas", "risk"),
    "streams/run": ("streams", "sinks", "schemas", "risk"),
}  # fmt: skip
PURE = frozenset({
    "numpy", "numba", "scipy", "abc", "collections", "dataclasses", "decimal", "enum", "functools",
    "itertools", "math", "typing",
})  # fmt: skip
"""All that `risk` may take from outside: nothing with files, clocks, logs or chance."""

OWN_SOURCE = {"hashlib", "pathlib"}
"""What tells one compiler's cache from another's: the room's own text, read once."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    place = name(path)
    return next(room for room in sorted(MAY_IMPORT, reverse=True) if place.startswith(room + "/"))


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: imports are absolute"
            found.append(node.module or "")
    return found


def within(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == one or module.startswith(one + ".") for one in allowed)


@pytest.mark.parametrize("path", [p for p in FILES if p.parent != ROOT / "streams"], ids=name)
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    allowed = MAY_IMPORT[room_of(path)]
    ours = [module for module in imports(path) if module.split(".")[0] in OURS]
    assert [module for module in ours if not within(module, allowed)] == []


@pytest.mark.parametrize("path", [p for p in FILES if p.is_relative_to(ROOT / "risk")], ids=name)
def test_risk_has_no_way_out(path: Path) -> None:
    outside = [module for module in imports(path) if module.split(".")[0] not in OURS]
    pure = PURE | OWN_SOURCE if name(path) == "risk/compiled.py" else PURE
    assert [module for module in outside if module.split(".")[0] not in pure] == []


def test_nobody_imports_the_composition_room() -> None:
    outsiders = [path for path in FILES if not name(path).startswith("streams/run/")]
    assert [
        name(p) for p in outsiders if any(within(m, ("streams.run",)) for m in imports(p))
    ] == []


@pytest.mark.parametrize("path", CHECKED, ids=name)
def test_a_file_opens_with_one_sentence(path: Path) -> None:
    if path.name == "__init__.py" and path != FRONT_DOOR:
        assert path.read_text() == "", f"{name(path)} must stay empty"
        return
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    first = docstring.splitlines()[0] if docstring else ""
    assert first.endswith((".", "?")), f"{name(path)} must open with one sentence"


@pytest.mark.parametrize("path", CHECKED, ids=name)
def test_files_functions_and_lines_are_short(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 300, f"{name(path)} has {len(lines)} lines"
    assert [n for n, line in enumerate(lines, 1) if len(line) > 100] == []
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or 0) - node.lineno + 1
            assert size <= 60, f"{name(path)}: {node.name} has {size} lines"
            taken = [
                a for a in node.args.posonlyargs + node.args.args if a.arg not in ("self", "cls")
            ]
            assert len(taken) <= 5, f"{name(path)}: {node.name} takes {len(taken)} positional"


def test_there_is_no_room_for_everything() -> None:
    assert [
        name(path) for path in CHECKED if path.stem in ("utils", "util", "helpers", "misc")
    ] == []


def test_every_room_of_the_tests_is_a_package() -> None:
    rooms = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [name(room) for room in rooms if not (room / "__init__.py").exists()] == []
