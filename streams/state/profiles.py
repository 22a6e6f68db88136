"""Profiles from files: those that come with the product by name, others by path."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from risk.profile import Profile

SUFFIX = ".toml"


def profile_names() -> list[str]:
    """The profiles that come with the product."""
    return sorted(_named("profiles"))


def load_profile(name_or_path: str | Path) -> Profile:
    """The profile of that name, or of the file at that path (what ends in .toml is a path).

    Raises ValueError, naming the file, where it says what is not understood, and for an unknown
    name, listing the known ones; OSError where a file cannot be read.
    """
    known = _named("profiles")
    name = str(name_or_path)
    if name.endswith(SUFFIX):
        source: Traversable = Path(name)
        name = Path(name).stem
    elif name in known:
        source = known[name]
    else:
        raise ValueError(f"profile {name!r} is unknown, known are {', '.join(sorted(known))}")
    try:
        return Profile.of(_read(source), scenario_sets(), name)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def scenario_sets() -> Mapping[str, Mapping[str, Any]]:
    """The scenario sets that come with the product, by name."""
    return {name: _read(file) for name, file in _named("scenarios/sets").items()}


def _named(folder: str) -> dict[str, Traversable]:
    found = files("risk").joinpath(*folder.split("/")).iterdir()
    return {file.name.removesuffix(SUFFIX): file for file in found if file.name.endswith(SUFFIX)}


def _read(source: Traversable) -> Mapping[str, Any]:
    return tomllib.loads(source.read_text(encoding="utf-8"))
