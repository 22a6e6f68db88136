"""Compiles the kernels before the first start needs them, two processes side by side."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from streams.processors.warm_up import warm_up, works
from streams.state.profiles import load_profile

PROFILE = "default"


def compile_all() -> None:
    """Compile what is not compiled yet; what both of them compiled is kept once."""
    with ProcessPoolExecutor(2, get_context("spawn")) as both:
        list(both.map(_compile, range(len(works(load_profile(PROFILE))))))
    warm_up(load_profile(PROFILE))  # one may have overwritten what the other had listed


def _compile(number: int) -> None:
    works(load_profile(PROFILE))[number]()
