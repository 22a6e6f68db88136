"""A worker that does not move is found out and ended; one that has nothing to do is left alone."""

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from streams.run.health import HealthServer, Liveness, Progress

Numbers = dict[str, int]
Answer = tuple[int, str, str]
"""Status, content type and body."""
LIMIT_S = 60
"""Of a subprocess: only a failed test needs as long."""

HANGING = """
import asyncio, logging, time
from streams.run.health import Progress, Watchdog

logging.basicConfig()
progress, heartbeat_s = Progress(loop_s=0.5), time.monotonic()

async def read_forever():
    await asyncio.Event().wait()

async def compute_margin():
    time.sleep(60)

async def main():
    loop = asyncio.get_running_loop()
    waiting = loop.create_task(read_forever())
    await asyncio.sleep(0)
    Watchdog(
        lambda: progress.observe(time.monotonic(), {}, {}, heartbeat_s).sentences,
        loop=loop,
        check_s=0.05,
    ).start()
    await compute_margin()

asyncio.run(main())
"""

IDLE = """
import asyncio, time
from streams.run.health import Progress, Watchdog

async def main():
    loop, enough = asyncio.get_running_loop(), asyncio.Event()
    progress, heartbeat_s, checks = Progress(stall_s=0.2), time.monotonic() + 3600, 0

    def liveness():
        nonlocal checks
        checks += 1
        if checks == 20:
            loop.call_soon_threadsafe(enough.set)
        now_s = time.monotonic()
        return progress.observe(now_s, {"fills-0": 0}, {"fills-0": 9}, heartbeat_s).sentences

    watchdog = Watchdog(liveness, loop=loop, check_s=0.03)
    watchdog.start()
    await enough.wait()
    watchdog.stop()
    watchdog.stop()
    print("alive after", checks)

asyncio.run(main())
"""

SCRIPTED = """
import sys, threading
from streams.run.health import Watchdog

answers = iter({answers})
done = threading.Event()

def liveness():
    answer = next(answers)
    if isinstance(answer, Exception):
        raise answer
    return answer

left = iter([False] * 4)

def wait(seconds):
    over = next(left, True)
    if over:
        done.set()
    return over

Watchdog(liveness, wait=wait).start()
done.wait()
print("alive")
"""


def ended(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


class Watched:
    """A `Progress` whose loop turns at every observation, at times that the test gives."""

    def __init__(self) -> None:
        self.progress = Progress()

    def stalled(self, now_s: float, lags: Numbers, positions: Numbers) -> tuple[str, ...]:
        return self.progress.observe(now_s, lags, positions, now_s).stalled


def test_a_partition_with_lag_that_stands_still_is_stalled_after_thirty_seconds() -> None:
    watched, lags, positions = Watched(), {"fills-3": 12, "fills-4": 5}, {"fills-3": 40}
    for now_s in (100, 115, 130):
        assert watched.stalled(now_s, lags, positions | {"fills-4": now_s}) == ()
    verdict = watched.progress.observe(131, lags, positions | {"fills-4": 131}, 131)
    assert verdict.stalled == ("fills-3",)
    assert verdict.sentences == [
        "fills-3 has not moved from 40 for 31 s, more than 30 s, with 12 records to read"
    ]
    assert watched.stalled(132, lags, {"fills-3": 41, "fills-4": 132}) == ()


def test_an_idle_partition_is_alive_and_has_its_full_time_once_records_come() -> None:
    watched, positions = Watched(), {"fills-0": 7}
    for now_s in range(0, 200, 20):
        assert watched.stalled(now_s, {"fills-0": 0}, positions) == ()
    for now_s in range(200, 211, 10):
        assert watched.stalled(now_s, {"fills-0": 3}, positions) == ()
    assert watched.stalled(211, {"fills-0": 3}, positions) == ("fills-0",)


def test_a_partition_that_never_begins_is_stalled() -> None:
    watched, lags = Watched(), {"fills-0": 3}
    assert watched.stalled(0, lags, {}) == ()
    assert watched.stalled(30, lags, {}) == ()
    [sentence] = watched.progress.observe(31, lags, {}, 31).sentences
    assert sentence.startswith("fills-0 has not moved from its beginning for 31 s")


def test_after_a_time_in_which_nobody_looked_partitions_have_their_full_time() -> None:
    watched, lags, positions = Watched(), {"fills-0": 3}, {"fills-0": 7}
    assert watched.stalled(0, lags, positions) == ()
    assert watched.stalled(100, lags, positions) == ()  # as after a suspended process
    assert watched.stalled(130, lags, positions) == ()
    assert watched.stalled(131, lags, positions) == ("fills-0",)


def test_a_revoked_partition_is_forgotten_and_begins_anew_when_it_comes_back() -> None:
    watched, lags, positions = Watched(), {"fills-0": 3}, {"fills-0": 7}
    assert watched.stalled(0, lags, positions) == ()
    assert watched.stalled(29, {}, positions) == ()
    assert watched.stalled(40, lags, positions) == ()
    assert watched.stalled(70, lags, positions) == ()
    assert watched.stalled(71, lags, positions) == ("fills-0",)


def test_a_new_partition_has_its_full_time_beside_a_stalled_one() -> None:
    watched = Watched()
    assert watched.stalled(0, {"fills-0": 3}, {}) == ()
    both = {"fills-0": 3, "fills-1": 3}
    assert watched.stalled(20, both, {}) == ()
    assert watched.stalled(45, both, {}) == ("fills-0",)
    assert watched.stalled(51, both, {}) == ("fills-0", "fills-1")


def test_recovery_counts_as_movement_and_so_does_its_end() -> None:
    watched, lags = Watched(), {"fills-0": 1_000}
    for now_s, recovered in ((0, 0), (25, 500), (50, 900)):
        assert watched.stalled(now_s, lags, {"fills-0": recovered}) == ()
    assert watched.stalled(75, lags, {"fills-0": 20}) == ()  # ready: the next offset from here on
    assert watched.stalled(100, lags, {"fills-0": 20}) == ()
    assert watched.stalled(106, lags, {"fills-0": 20}) == ("fills-0",)


def test_the_main_loop_is_late_after_ten_seconds() -> None:
    progress = Progress()
    assert progress.observe(110, {}, {}, 100).sentences == []
    verdict = progress.observe(111, {}, {}, 100)
    assert verdict.stalled == ()
    assert verdict.sentences == ["the main loop has made no turn for 11 s, more than 10 s"]
    assert progress.observe(112, {}, {}, 112).sentences == []


def get(url: str) -> Answer:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get_content_type(), error.read().decode()


def served(
    paths: list[str], *, liveness: Liveness = list, readiness: Callable[[], dict[str, bool]] = dict
) -> list[Answer]:
    async def serve() -> list[Answer]:
        server = HealthServer("127.0.0.1", 0, liveness=liveness, readiness=readiness)
        await server.start()
        url = f"http://127.0.0.1:{server.port}"
        try:
            return [await asyncio.to_thread(get, url + path) for path in paths]
        finally:
            await server.stop()
            await server.stop()

    return asyncio.run(serve())


def test_livez_is_ok_while_nothing_is_dead() -> None:
    assert served(["/livez"]) == [(200, "text/plain", "ok")]


def test_livez_names_what_is_dead() -> None:
    [(status, kind, body)] = served(["/livez"], liveness=lambda: ["fills-3 has not moved"])
    assert (status, kind) == (503, "application/json")
    assert json.loads(body) == {"dead": ["fills-3 has not moved"]}


@pytest.mark.parametrize(
    ("fresh", "status", "missing"), [(True, 200, []), (False, 503, ["prices_fresh"])]
)
def test_readyz_tells_every_condition_and_the_missing_ones(
    fresh: bool, status: int, missing: list[str]
) -> None:
    conditions = {"assigned": True, "recovered": True, "prices_fresh": fresh}
    [(told, _, body)] = served(["/readyz"], readiness=lambda: conditions)
    assert told == status
    assert json.loads(body) == {**conditions, "missing": missing}


def test_readiness_and_liveness_are_asked_at_every_request_and_apart() -> None:
    dead: Any = iter([[], ["the loop"], []])
    answers = served(
        ["/livez", "/livez", "/livez", "/readyz"],
        liveness=lambda: next(dead),
        readiness=lambda: {"assigned": False},
    )
    assert [status for status, _, _ in answers] == [200, 503, 200, 503]


def test_other_paths_are_not_found() -> None:
    assert [status for status, _, _ in served(["/", "/metrics", "/livez/x"])] == [404] * 3


def test_a_taken_port_is_refused_by_name_and_a_stopped_server_frees_its_own() -> None:
    async def take() -> None:
        first = HealthServer("127.0.0.1", 0, liveness=list, readiness=dict)
        await first.stop()
        await first.start()
        second = HealthServer("127.0.0.1", first.port, liveness=list, readiness=dict)
        with pytest.raises(OSError, match=str(first.port)):
            await second.start()
        await first.stop()
        await second.start()
        await second.stop()

    asyncio.run(take())


def test_a_hung_loop_ends_the_process_and_shows_where_it_hangs() -> None:
    process = ended(HANGING)
    assert process.returncode == 70
    assert "in compute_margin" in process.stderr.split("Stack for")[0]  # the threads
    assert "read_forever" in process.stderr  # the tasks
    assert "CRITICAL" in process.stderr
    assert "the main loop has made no turn for" in process.stderr


def test_an_idle_worker_stays_alive() -> None:
    process = ended(IDLE)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("alive after")


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ("[['late'], [], ['late'], []]", 0),  # as after a suspended process
        ("[[], ['late'], ['late'], []]", 70),
        ("[ValueError('torn'), [], [], []]", 0),
        ("[[], ValueError('torn'), ValueError('torn'), []]", 70),
    ],
)
def test_two_checks_in_a_row_must_find_it_dead(answers: str, status: int) -> None:
    process = ended(SCRIPTED.format(answers=answers))
    assert process.returncode == status
    assert ("alive" in process.stdout) == (status == 0)
    if "torn" in answers and status:
        assert "liveness cannot be told: ValueError('torn')" in process.stderr
