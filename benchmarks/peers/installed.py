"""What the contenders need on this machine: a Python environment of their own, and Java classes."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kafka.jars import JarsMissingError, jars_folder, resolve_jars

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
POM = HERE / "pom.xml"
SOURCE = HERE / "FillsBook.java"
INSTALL_TIMEOUT_S = 900.0


class NotInstalledError(RuntimeError):
    """A contender's parts are not here, and could not be had or were not asked for."""


def python(*, fetch: bool) -> str:
    """The interpreter of the contenders' environment, made first where `fetch` says so.

    It is kept beside the jars, apart from the product's, whose lock stays small.
    """
    release = f"{sys.version_info[0]}.{sys.version_info[1]}"
    environment = _cache() / f"peers-{release}-{_digest(REQUIREMENTS)}"
    interpreter, whole = environment / "bin" / "python", environment / "whole"
    if not fetch and not whole.exists():
        raise NotInstalledError("the packages of its requirements.txt are not installed")
    with _alone():
        if not whole.exists():
            _run([sys.executable, "-m", "venv", "--clear", str(environment)])
            pip = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "install"]
            _run([*pip, "--quiet", "-r", str(REQUIREMENTS)])
            whole.touch()
    return str(interpreter)


def classpath(*, fetch: bool) -> str:
    """The jars and the compiled class of the contender in Java, made first where `fetch` says."""
    if shutil.which("java") is None or shutil.which("javac") is None:
        raise NotInstalledError("java and javac (17 or later) are not on the PATH")
    if not (fetch or jars_folder(pom=POM).exists()):
        raise NotInstalledError("the jars of its pom.xml are not in the cache")
    try:
        jars = resolve_jars(pom=POM)
    except (JarsMissingError, OSError) as error:
        raise NotInstalledError(str(error)) from error
    classes = _cache() / f"classes-{_digest(POM, SOURCE)}"
    with _alone():
        if not classes.exists():
            unfinished = tempfile.mkdtemp(prefix="unfinished-", dir=classes.parent)
            _run(["javac", "-cp", f"{jars}/*", "-d", unfinished, str(SOURCE)])
            Path(unfinished).rename(classes)
    return f"{classes}:{jars}/*"


def versions() -> str:
    """Of the contenders that are installed outside the product's own environment."""
    pins = [line for line in REQUIREMENTS.read_text().splitlines() if "==" in line]
    names = [pin.replace("==", " ") for pin in pins]
    try:
        jars = sorted(Path(classpath(fetch=False).split(":")[1]).parent.glob("*.jar"))
    except NotInstalledError:
        jars = []
    names += [jar.stem for jar in jars if jar.name.startswith(("kafka-streams", "rocksdbjni"))]
    return ", ".join(names)


def _cache() -> Path:
    return jars_folder(pom=POM).parent


@contextmanager
def _alone() -> Iterator[None]:
    """One process at a time fills the cache."""
    _cache().mkdir(parents=True, exist_ok=True)
    with (_cache() / "peers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"{command[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout)[-500:]
        raise NotInstalledError(f"{command[0]} ended with {done.returncode}: {said}")


def _digest(*files: Path) -> str:
    content = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(content).hexdigest()[:8]
