"""Property tests draw the same examples every time; files that wait come before those that compute.

A wait for a broker, or for a session to end, is over sooner when it began sooner, and whoever
computes uses the cores meanwhile.
"""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("plimsoll", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("plimsoll")

WAITING = ("kafka", "embedded")
"""Marks of tests that start a broker or a history, those that wait longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files, in the order of the mark that any test of theirs has, else as they were."""
    ranks: dict[Path, int] = {}
    for item in items:
        marks = [n for n, mark in enumerate(WAITING) if item.get_closest_marker(mark)]
        ranks[item.path] = min([ranks.get(item.path, len(WAITING)), *marks])
    items.sort(key=lambda item: ranks[item.path])
