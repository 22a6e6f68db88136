"""One broker for a whole run, three for a module; both as good as new before every test."""

import os
from collections.abc import Iterator

import pytest

from tests.kafka.broker import ApacheKafka, why_not

GIVEN = os.environ.get("PLIMSOLL_TEST_BOOTSTRAP", "")


class GivenKafka:
    """A cluster that somebody else runs: tests use it, and skip where they would control it."""

    bootstrap = GIVEN

    def not_ours(self, n: int = 0) -> None:
        pytest.skip(f"broker {n} of PLIMSOLL_TEST_BOOTSTRAP={GIVEN} is not ours to control")

    start = stop = kill = restart = pause = resume = not_ours

    def mend(self) -> None:
        """Nothing was broken."""


def need_brokers() -> None:
    """Skip where no broker can be had; fail there if the run promised to have one."""
    if reason := why_not():
        promised = os.environ.get("CI") or os.environ.get("PLIMSOLL_REQUIRE_KAFKA") == "1"
        (pytest.fail if promised else pytest.skip)(reason)


@pytest.fixture(scope="session")
def kafka() -> Iterator[ApacheKafka | GivenKafka]:
    """A broker, or the cluster at PLIMSOLL_TEST_BOOTSTRAP."""
    if GIVEN:
        yield GivenKafka()
        return
    need_brokers()
    with ApacheKafka() as broker:
        yield broker


@pytest.fixture(scope="module")
def three_brokers() -> Iterator[ApacheKafka]:
    """Three brokers of our own: who asks for three means to lose one."""
    if GIVEN:
        pytest.skip(f"the brokers of PLIMSOLL_TEST_BOOTSTRAP={GIVEN} are not ours to control")
    need_brokers()
    with ApacheKafka(brokers=3) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _mended(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did to its brokers, they serve again before the next one."""
    wanted = {"kafka", "three_brokers"}.intersection(request.fixturenames)
    clusters = [request.getfixturevalue(name) for name in sorted(wanted)]
    yield
    for cluster in clusters:
        cluster.mend()
