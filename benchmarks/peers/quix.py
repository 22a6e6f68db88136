"""A contender: Quix Streams with its state, which is RocksDB and a changelog topic."""

import tempfile
from typing import Any

from quixstreams import Application, State

from benchmarks.contender import Stopwatch, settings_of_this_process, tell
from benchmarks.peers.job import FLAT, booked, decoded

COMMIT_S = 1.0
"""Its default is 5 s: of a short run, too much would be in one commit."""


def main() -> None:
    """State is by the record's key, the account; in it, by instrument."""
    given = settings_of_this_process()
    stopwatch = Stopwatch()
    with tempfile.TemporaryDirectory(prefix="quix-") as folder:
        app = _application(given, folder)
        _time_commits(app, stopwatch)
        _declare(app, given, stopwatch)
        app.run(count=given["fills"], collect=False)
    tell(stopwatch, given["fills"])


def _application(given: dict[str, Any], folder: str) -> Application:
    return Application(
        broker_address=given["bootstrap"],
        consumer_group=given["app"],
        auto_offset_reset="earliest",
        commit_interval=COMMIT_S,
        state_dir=folder,
        consumer_extra_config={"session.timeout.ms": given["session_ms"]},
        loglevel="ERROR",
        processing_guarantee="exactly-once" if given["exactly_once"] else "at-least-once",
    )


def _declare(app: Application, given: dict[str, Any], stopwatch: Stopwatch) -> None:
    instruments = frozenset(given["instruments"])

    def book(value: bytes, key: bytes, _time: int, _headers: Any, state: State) -> None:
        stopwatch.begin()
        fill = decoded(key, value, instruments)
        instrument = fill["instrument_id"]
        state.set(instrument, booked(state.get(instrument, FLAT), fill))

    topic = app.topic(given["topic"], key_deserializer="bytes", value_deserializer="bytes")
    app.dataframe(topic).update(book, stateful=True, metadata=True)


def _time_commits(app: Application, stopwatch: Stopwatch) -> None:
    """The last fill counts from when it was committed, and no callback tells of that."""
    context = app._processing_context
    commit = context.commit_checkpoint

    def timed(force: bool = False, revoking: bool = False) -> None:
        due = force or context.checkpoint.expired()
        commit(force, revoking)
        if due:
            stopwatch.applied()

    context.commit_checkpoint = timed


if __name__ == "__main__":
    main()
