"""Run vector files through their adapters and compare what comes out.

An adapter is the module `tests.conformance.adapters.<stem>` with `answer(case)`: it translates
names and units, calls the product, and returns the expected fields, or None where the case is of
a kind that is not covered yet. It computes nothing itself and knows no case by its id.
"""

import importlib
import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.conformance.compare import differences

Adapter = Callable[[dict[str, Any]], dict[str, Any] | None]


def run(paths: list[Path], say: Callable[[str], None] = print) -> int:
    """Exit status: 0 where every covered case agrees."""
    passed = failed = 0
    for path in _files(paths):
        cases = json.loads(path.read_text(encoding="utf-8"))
        adapter = _adapter(path.stem)
        if adapter is None:
            say(f"{path.stem}: no adapter ({len(cases)} cases)")
            continue
        results = [(case, _check(case, adapter)) for case in cases]
        covered = [(case, found) for case, found in results if found is not None]
        wrong = [(case, found) for case, found in covered if found]
        rest = len(results) - len(covered)
        note = f" (not covered yet: {rest})" if rest else ""
        say(f"{path.stem}: {len(covered) - len(wrong)}/{len(covered)}{note}")
        for case, found in wrong:
            say(f"  {case['id']}: {'; '.join(found)}")
        passed += len(covered) - len(wrong)
        failed += len(wrong)
    say(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.glob("*.json")) if path.is_dir() else [path]


def _adapter(stem: str) -> Adapter | None:
    name = f"tests.conformance.adapters.{stem}"
    if not stem.isidentifier() or find_spec(name) is None:
        return None
    answer: Adapter = importlib.import_module(name).answer
    return answer


def _check(case: dict[str, Any], adapter: Adapter) -> list[str] | None:
    """What differs; None where the case is not covered."""
    try:
        actual = adapter(case)
    except (ArithmeticError, LookupError, ValueError) as error:
        return [f"{type(error).__name__}: {error}"]
    return None if actual is None else differences(case, actual)
