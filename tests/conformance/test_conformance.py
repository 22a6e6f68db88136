"""The copied vectors agree, and the runner tells when one does not."""

import json
from pathlib import Path

import pytest

from tests.conformance.compare import differences
from tests.conformance.runner import run

VECTORS = Path(__file__).parent / "vectors"


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_vectors_agree(path):
    lines = []
    assert run([path], lines.append) == 0, "\n".join(lines)


def test_a_folder_is_every_file_in_it_and_ends_with_the_count():
    lines = []
    assert run([VECTORS], lines.append) == 0
    assert len(lines) == len(list(VECTORS.glob("*.json"))) + 1
    assert lines[-1].endswith(" passed, 0 failed")


def test_a_failing_case_is_named_with_both_values(tmp_path):
    case = json.loads((VECTORS / "nautilus.json").read_text())[0]
    wrong = {**case, "id": "off-by-one", "expected": {"margin": 49.0}}
    path = tmp_path / "nautilus.json"
    path.write_text(json.dumps([case, wrong]))
    lines = []
    assert run([path], lines.append) == 1
    assert lines == [
        "nautilus: 1/2",
        "  off-by-one: margin expected 49.0, actual 48.0",
        "1 passed, 1 failed",
    ]


def test_a_file_without_adapter_does_not_count(tmp_path):
    path = tmp_path / "unheard_of.json"
    path.write_text('[{"id": "a"}, {"id": "b"}]')
    lines = []
    assert run([path], lines.append) == 0
    assert lines == ["unheard_of: no adapter (2 cases)", "0 passed, 0 failed"]


@pytest.mark.parametrize(
    ("expected", "actual", "agree"),
    [
        ({"x": 1.0}, {"x": 1.0 + 9e-10}, True),
        ({"x": 1.0}, {"x": 1.0 + 2e-9}, False),
        ({"x": 0.08700494}, {"x": 0.08700495}, True),
        ({"x": 0.08700494}, {"x": 0.08700496}, False),
        ({"x": 5499.9}, {"x": 5499.95}, False),
        ({"x": 18778.73, "rounding": "2 decimals"}, {"x": 18778.7349}, True),
        ({"x": 1.01010101, "rounding": "floor 1e-9"}, {"x": 1.0101010101}, True),
        ({"x": 100, "abs_tol": 0.5}, {"x": 100.4}, True),
        ({"x": 100, "rel_tol": 0.001}, {"x": 100.2}, False),
        ({"x": [1, 2]}, {"x": [1]}, False),
        ({"x": True}, {"x": 1}, False),
        ({"x": "a"}, {"x": "a"}, True),
        ({"x": 1, "y": 2}, {"x": 1}, False),
        ({"x": [1e5, -6e-12]}, {"x": [1e5, 0.0]}, True),
        ({"x": [1e5, -6e-10]}, {"x": [1e5, 0.0]}, False),
        ({"x": 1e-12}, {"x": 2e-12}, False),
    ],
)
def test_agreement(expected, actual, agree):
    assert (differences({"expected": expected}, actual) == []) is agree
