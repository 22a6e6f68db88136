"""The jars that a pom.xml names, Apache Kafka's above all, resolved once and kept in a cache."""

import fcntl
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
RESOLVE_TIMEOUT_S = 900.0
TAIL_LINES = 15


class JarsMissingError(RuntimeError):
    """Maven could not bring the jars."""


def jars_folder(cache: Path | None = None, pom: Path = POM) -> Path:
    """Where the jars of this very pom.xml belong, resolved or not."""
    text = pom.read_bytes()
    found = re.search(rb"<kafka.version>(.+)</kafka.version>", text)
    assert found, f"{pom} names no kafka.version"
    cache = cache or Path.home() / ".cache" / "plimsoll"
    return cache / f"kafka-{found[1].decode()}-{hashlib.sha256(text).hexdigest()[:8]}"


def resolve_jars(cache: Path | None = None, pom: Path = POM) -> Path:
    """The folder of the jars, filled by Maven at the first call; JarsMissingError if it cannot.

    The folder appears under its name only when it is whole, and one process at a time fills it.
    """
    folder = jars_folder(cache, pom)
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
            try:
                _copy_jars(unfinished, pom)
                unfinished.rename(folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _copy_jars(folder: Path, pom: Path) -> None:
    command = [
        "mvn", "--batch-mode", "--quiet", "-Dstyle.color=never", "--file", str(pom),
        "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RESOLVE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise JarsMissingError(f"Maven took more than {RESOLVE_TIMEOUT_S:.0f} s") from late
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-TAIL_LINES:])
        raise JarsMissingError(f"Maven ended with {done.returncode}; its last lines:\n{tail}")
