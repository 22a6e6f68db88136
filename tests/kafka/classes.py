"""A broker's classes as the JVM maps them: with them the next broker starts in half the time."""

import fcntl
import tempfile
from collections.abc import Callable
from pathlib import Path


def shared_classes(jars: Path, run: Callable[[str], None]) -> str:
    """The JVM's option for the classes that a broker of these jars has loaded. They are kept beside
    the jars, once for a machine: by `run`, which is a broker's life with the option it is given.

    A JVM that has no use for them, as one of another version, goes on without.
    """
    kept = jars.with_name(f"{jars.name}.jsa")
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=jars.parent, prefix="unfinished-") as folder:
                written = Path(folder, "classes.jsa")
                run(f"-XX:ArchiveClassesAtExit={written}")
                written.touch()  # a JVM that keeps none is not asked again
                written.rename(kept)
    return f"-XX:SharedArchiveFile={kept}"
