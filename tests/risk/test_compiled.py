"""Kernels that another release compiled do not stand in the way of this one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = """
from typing import NamedTuple
import numpy as np
from risk.compiled import compiled

class {name}(NamedTuple):
    values: np.ndarray

@compiled
def total(of):
    return of.values.sum() * {factor}

print(total({name}(np.arange(4.0))))
"""

OF_TWO_TYPES = """
from risk.compiled import compiled

@compiled
def half(of):
    return of / 2

print(half(3), half(0.5))
"""


def run(folder: Path) -> str:
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{root}"}
    done = subprocess.run(
        [sys.executable, "-c", "import kernels"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or done.stderr


def test_what_a_kernel_calls_from_another_file_is_part_of_it(tmp_path: Path) -> None:
    """The stamp is of the whole room, so a copy of it with one more line compiles anew."""
    told = []
    for line in ("", "# one more line\n"):
        room = tmp_path / "risk"
        shutil.copytree(Path(__file__).parents[2] / "risk", room, dirs_exist_ok=True)
        with (room / "funding.py").open("a") as file:
            file.write(line)
        (tmp_path / "kernels.py").write_text("from risk.compiled import SOURCE; print(SOURCE)")
        told.append(run(tmp_path))
    assert len(set(told)) == 2
    assert all(len(one) == 32 for one in told)


def test_a_type_that_was_renamed_is_compiled_anew(tmp_path: Path) -> None:
    for name, factor, expected in (("Before", 1, "6.0"), ("After", 2, "12.0")):
        (tmp_path / "kernels.py").write_text(SOURCE.format(name=name, factor=factor))
        assert run(tmp_path) == expected
        assert run(tmp_path) == expected  # from what was kept


def test_a_file_that_another_process_wrote_there_is_not_taken_for_this_kernel(
    tmp_path: Path,
) -> None:
    """Two that compile at the same time may both list the first free name."""
    (tmp_path / "kernels.py").write_text(OF_TWO_TYPES)
    assert run(tmp_path) == "1.5 0.25"
    of_int, of_float = sorted((tmp_path / "__pycache__").glob("kernels.half-*.nbc"))
    shutil.copy(of_int, of_float)
    assert run(tmp_path) == "1.5 0.25"
