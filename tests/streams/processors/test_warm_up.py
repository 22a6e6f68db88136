"""Every profile can be warmed up before the first decision."""

import pytest

from streams.processors.warm_up import warm_up
from streams.state.profiles import load_profile, profile_names


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_is_warmed_up(name: str) -> None:
    warm_up(load_profile(name))
