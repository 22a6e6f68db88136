"""A sink in a process of its own that is killed behind a numbered step of `sinks.writer`."""

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from sinks import consumer, writer
from sinks.clickhouse import REFUSED_TABLE
from sinks.store import Store
from sinks.watermarks import Watermarks
from tests.sinks.carrying import QUICK

STEPS = {
    "1 cut": (writer.Writer, "take", ""),
    "2 intended": (Watermarks, "intend", ""),
    "3 inserted": (Store, "insert", "rows"),
    "4 set aside": (Store, "insert", REFUSED_TABLE),
    "5 recorded": (Watermarks, "stored", ""),
    "6 committed": (consumer._Sink, "_commit", ""),
}


def die_behind(step: str, times: int) -> None:
    """Let the process be killed when the step has been taken that many times."""
    owner, method, table = STEPS[step]
    call: Callable[..., Any] = getattr(owner, method)
    taken = itertools.count(1)

    def counts(into: Any) -> bool:
        if table == "rows":
            return into not in (REFUSED_TABLE, "ingest_blocks")
        return table in ("", into)

    def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        result = call(self, *arguments, **named)
        if counts(arguments[0]) and next(taken) == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, method, wrapped)


if __name__ == "__main__":
    bootstrap, dsn, step, times = sys.argv[1:]
    die_behind(step, int(times))
    stop = threading.Event()
    stop.set()
    consumer.run(
        bootstrap=bootstrap, dsn=dsn, group=f"until {step} {times}", stop=stop, drain_s=20.0,
        security=QUICK,
    )  # fmt: skip
