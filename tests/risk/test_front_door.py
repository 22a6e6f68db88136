"""What a newcomer does first: `from risk import evaluate`, its example, the index."""

import doctest
import importlib
import re
from pathlib import Path

import risk
from risk import evaluation

INDEX = Path(risk.__file__).parent / "README.md"


def test_evaluate_is_the_door() -> None:
    assert risk.evaluate is evaluation.evaluate


def test_the_example_of_its_docstring_runs() -> None:
    (example,) = doctest.DocTestFinder().find(risk.evaluate, "evaluate", globs={})
    assert len(example.examples) > 5
    said: list[str] = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert said == []


def test_everything_the_index_names_is_there() -> None:
    named = re.findall(r"`([a-z_0-9]+(?:\.[A-Za-z_0-9]+)*)` ?[,|]", INDEX.read_text("utf-8"))
    assert len(named) > 60
    for name in named:
        *place, last = name.split(".")
        if place and place[-1][0].isupper():
            place, last = place[:-1], place[-1]
        if (INDEX.parent / Path(*place, f"{last}.py")).exists():
            continue
        module = importlib.import_module(".".join(("risk", *place)))
        assert hasattr(module, last), name
