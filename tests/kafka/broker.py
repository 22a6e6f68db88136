"""A real Apache Kafka on this machine, whose brokers a test may stop, kill and pause."""

import argparse
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from string import Template
from types import TracebackType

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from tests.kafka.classes import shared_classes
from tests.kafka.jars import jars_folder, resolve_jars

HERE = Path(__file__).parent
CLUSTER_ID = "PlimsollTestsKafka0001"
PORTS = range(20_000, 32_000)
"""Below the ephemeral ports: no client may take the port of a broker that is down for a moment."""
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
TAIL_LINES = 15
WATCH = """
while read -r pids; do running=$pids; done
[ -z "$running" ] || { kill -9 $running; sleep 1; }
rm -rf -- "$@"
"""
"""Told which brokers run; when our end of its pipe closes, however we end, it clears up."""


class BrokerFailedError(RuntimeError):
    """A broker did not start or did not stop."""


def why_not() -> str | None:
    """Why no broker can be had on this machine; None where one can."""
    if shutil.which("java") is None:
        return "Apache Kafka needs java on the PATH (17 or later)"
    if shutil.which("mvn") is None and not jars_folder().exists():
        return "the jars of Apache Kafka are not in the cache and mvn is not on the PATH"
    return None


class ApacheKafka:
    """Brokers 0 to `brokers` - 1 on the loopback interface, each of them a controller too.

    Their data and their logs, broker-N.log, are in `folder`, or in a temporary folder that goes
    when they do. A broker that comes back has its port and its data back.
    """

    def __init__(self, brokers: int = 1, folder: Path | None = None, *, classes: str = "") -> None:
        self.brokers = brokers
        self._kept = folder
        self._classes = classes
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "ApacheKafka":
        jars = resolve_jars()
        heap = "-Xmx768m" if self.brokers == 1 else "-Xmx512m"
        self._java = [
            "java", "-Xms256m", heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            self._classes or shared_classes(jars, _live),
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}", "-cp", f"{jars}/*",
        ]  # fmt: skip
        self._folder = self._kept or Path(tempfile.mkdtemp(prefix="plimsoll-kafka-"))
        self._folder.mkdir(parents=True, exist_ok=True)
        self._watcher = subprocess.Popen(
            ["sh", "-c", WATCH, "watcher", *([] if self._kept else [str(self._folder)])],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            self._configure()
            self._format()
            for n in range(self.brokers):
                self._launch(n)
            self._await_service(range(self.brokers))
        except BaseException:
            self._clear_up()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear_up()

    @property
    def bootstrap(self) -> str:
        """Every broker's address, for a client's bootstrap.servers."""
        return ",".join(map(self.address, range(self.brokers)))

    def address(self, n: int = 0) -> str:
        """The address of one broker."""
        return f"127.0.0.1:{self._ports[n]}"

    def pid(self, n: int = 0) -> int:
        """The process of a broker that runs."""
        return self._process(n).pid

    def start(self, n: int = 0) -> None:
        """Start a broker that is down, and wait until it serves."""
        if n in self._running:
            raise BrokerFailedError(f"broker {n} runs already, as process {self.pid(n)}")
        self._launch(n)
        self._await_service([n])

    def stop(self, n: int = 0) -> None:
        """Ask a broker to end (SIGTERM), and wait until it has."""
        process = self._process(n)
        process.terminate()
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as late:
            raise BrokerFailedError(
                f"broker {n} did not end within {STOP_TIMEOUT_S:.0f} s{self._tail(n)}"
            ) from late
        self._forget(n)

    def kill(self, n: int = 0) -> None:
        """End a broker at once (SIGKILL)."""
        process = self._process(n)
        process.kill()
        process.wait()
        self._forget(n)

    def restart(self, n: int = 0) -> None:
        """Stop a broker and start it again."""
        self.stop(n)
        self.start(n)

    def pause(self, n: int = 0) -> None:
        """Freeze a broker (SIGSTOP): its connections stay open and nothing is answered."""
        self._process(n).send_signal(signal.SIGSTOP)

    def resume(self, n: int = 0) -> None:
        """Let a frozen broker go on (SIGCONT)."""
        self._process(n).send_signal(signal.SIGCONT)

    def mend(self) -> None:
        """Bring every broker back that is paused or down, whatever was done to it."""
        down = set(range(self.brokers)) - self._running.keys()
        for n in self._running:
            self.resume(n)
        for n in down:
            self._launch(n)
        self._await_service(range(self.brokers))

    def _configure(self) -> None:
        everyone = range(self.brokers)
        ports = _free_ports(2 * self.brokers)
        self._ports, controller_ports = ports[: self.brokers], ports[self.brokers :]
        template = Template((HERE / "broker.properties").read_text())
        replicas = min(3, self.brokers)
        for n in everyone:
            self._config(n).write_text(
                template.substitute(
                    node=n,
                    port=self._ports[n],
                    controller_port=controller_ports[n],
                    voters=",".join(f"{v}@127.0.0.1:{controller_ports[v]}" for v in everyone),
                    data=self._folder / f"data-{n}",
                    replicas=replicas,
                    min_isr=max(1, replicas - 1),
                )
            )

    def _format(self) -> None:
        tool = [*self._java, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        tool += ["--cluster-id", CLUSTER_ID, "--config"]
        running = [self._run(n, [*tool, str(self._config(n))]) for n in range(self.brokers)]
        for n, process in enumerate(running):
            if process.wait():
                raise BrokerFailedError(f"broker {n} has no storage{self._tail(n)}")

    def _launch(self, n: int) -> None:
        self._running[n] = self._run(n, [*self._java, "kafka.Kafka", str(self._config(n))])
        self._tell_watcher()

    def _run(self, n: int, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log(n).open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to us first: the brokers leave last
            )

    def _process(self, n: int) -> subprocess.Popen[bytes]:
        if n not in self._running:
            raise BrokerFailedError(f"broker {n} does not run; running: {sorted(self._running)}")
        return self._running[n]

    def _forget(self, n: int) -> None:
        del self._running[n]
        self._tell_watcher()

    def _tell_watcher(self) -> None:
        assert self._watcher.stdin is not None
        pids = (str(process.pid) for process in self._running.values())
        self._watcher.stdin.write(" ".join(pids) + "\n")
        self._watcher.stdin.flush()

    def _clear_up(self) -> None:
        for n in list(self._running):
            self.kill(n)
        self._watcher.communicate()

    def _await_service(self, nodes: Iterable[int]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        wanted = set(nodes)
        for n in wanted:
            client = AdminClient(
                {
                    "bootstrap.servers": self.address(n),
                    "reconnect.backoff.max.ms": 100,
                    "log_level": 0,
                }
            )
            while not _serves(client, wanted):
                if self._process(n).poll() is not None:
                    raise BrokerFailedError(f"broker {n} has ended{self._tail(n)}")
                if time.monotonic() > deadline:
                    raise BrokerFailedError(
                        f"broker {n} did not serve within {START_TIMEOUT_S:.0f} s{self._tail(n)}"
                    )
                time.sleep(0.05)

    def _config(self, n: int) -> Path:
        return self._folder / f"broker-{n}.properties"

    def _log(self, n: int) -> Path:
        return self._folder / f"broker-{n}.log"

    def _tail(self, n: int) -> str:
        lines = self._log(n).read_text(errors="replace").splitlines()
        return "; the last lines of its log:\n" + "\n".join(lines[-TAIL_LINES:])


def _live(classes: str) -> None:
    """From start to stop, with this option of the JVM."""
    with ApacheKafka(classes=classes) as kafka:
        kafka.stop()


def _serves(client: AdminClient, nodes: set[int]) -> bool:
    try:
        cluster: ClusterMetadata = client.list_topics(timeout=1.0)
    except KafkaException:
        return False
    partitions = [p for topic in cluster.topics.values() for p in topic.partitions.values()]
    led = all(p.leader >= 0 for p in partitions if nodes.intersection(p.isrs))
    return led and nodes <= cluster.brokers.keys()


def _free_ports(count: int) -> list[int]:
    ports: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            break
    return ports


def main() -> None:
    """Run a cluster in the foreground until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.kafka.broker")
    parser.add_argument("--brokers", type=int, default=1)
    brokers = parser.parse_args().brokers
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    if reason := why_not():
        sys.exit(reason)
    with ApacheKafka(brokers) as kafka:
        print(f"bootstrap {kafka.bootstrap}", flush=True)
        for n in range(brokers):
            print(f"broker {n} pid {kafka.pid(n)}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
