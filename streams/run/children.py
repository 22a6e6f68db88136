"""Child processes that report as JSON lines on their standard output."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class ChildFailedError(RuntimeError):
    """A child process ended when it should not have."""


class Child:
    """A `plimsoll` command as a child process; `status` is the last line that it reported.

    It runs in a session of its own, so that Ctrl-C reaches only the parent, which then stops its
    children in order; should the parent die, the child reads end-of-file on its input and ends.
    """

    def __init__(self, name: str, arguments: Sequence[str], log_path: Path) -> None:
        self.name = name
        self.status: dict[str, Any] = {}
        self.log_path = log_path
        self._told_to_end = False
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streams.run.cli", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env=environment,
            )
        self._reader = threading.Thread(target=self._read, name=f"{name}-status", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def check(self) -> None:
        """ChildFailedError, with the end of its log, where it is gone with a failure.

        One that was told to end before it listened for that was ended by the signal: no failure.
        """
        told = (-signal.SIGTERM,) if self._told_to_end else ()
        if self._process.poll() not in (None, 0, *told):
            tail = self.log_path.read_text(errors="replace").strip().splitlines()[-15:]
            raise ChildFailedError(
                f"{self.name} ended with {self._process.returncode}:\n" + "\n".join(tail)
            )

    def await_status(self, key: str, timeout_s: float) -> Any:
        """The value under `key` once it is reported true; ChildFailedError after the time."""
        deadline = time.monotonic() + timeout_s
        while not self.status.get(key):
            self.check()
            if time.monotonic() > deadline:
                raise ChildFailedError(f"{self.name} was not {key} within {timeout_s:.0f} s")
            time.sleep(0.02)
        return self.status[key]

    def terminate(self) -> None:
        if self.running:
            self._told_to_end = True
            self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float) -> None:
        """Wait for its end and its last report; killed after the time."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(1.0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                self.status = {**self.status, **json.loads(line)}
            except ValueError:
                continue  # not a report: a library printed something


def end_with_parent() -> None:
    """In a child: end when the parent is gone, however it went."""

    def watch() -> None:
        while os.read(0, 1):  # unbuffered: a lock on the buffer would block our own end
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def tell(status: dict[str, Any]) -> None:
    """In a child: report a line to the parent."""
    sys.stdout.write(json.dumps(status) + "\n")
    sys.stdout.flush()


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
