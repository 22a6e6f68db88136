"""Many worlds, spread over processes: `python -m tests.simulation.world --seeds 10000`."""

import argparse
import gc
import logging
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from tests.simulation.world import World

CHUNK = 20
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed."""

    seed: int
    findings: list[str]
    seen: set[str]
    skipped: int


def outcome(seed: int) -> Outcome:
    world = World(seed)
    try:
        world.run()
    except Exception as error:  # a finding like any other: the seed must be told
        world.findings.append(f"the world ended: {error!r}")
    return Outcome(seed, world.findings, world.seen, world.skipped.total())


def survey(seeds: Iterable[int], processes: int) -> Iterator[Outcome]:
    """The outcomes of all seeds, in their order."""
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin) as pool:
        yield from pool.map(outcome, seeds, chunksize=CHUNK)


def main() -> None:
    """Run the seeds of the command line; ends with 1 where one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    began, failed, skipped = time.monotonic(), 0, 0
    times: Counter[str] = Counter()
    examples: dict[str, list[int]] = defaultdict(list)
    for one in survey(range(asked.first, asked.first + asked.seeds), asked.processes):
        if one.findings:
            failed += 1
            if failed <= SHOWN:
                print(f"seed {one.seed}: {'; '.join(one.findings)[:500]}", flush=True)
        skipped += one.skipped
        times.update(one.seen)
        for scenario in one.seen:
            if len(examples[scenario]) < 3:
                examples[scenario].append(one.seed)
    for scenario, count in times.most_common():
        print(f"{count:7,}  {scenario}: seeds {examples[scenario]}")
    per_minute = asked.seeds / (time.monotonic() - began) * 60
    print(f"{asked.seeds:,} seeds, {per_minute:,.0f} a minute; {skipped:,} records came again")
    print(f"{failed} seeds failed")
    sys.exit(failed > 0)


def _begin() -> None:
    """Workers tell of every partition that they lose; here that is no news."""
    logging.disable(logging.WARNING)
    gc.freeze()
    gc.set_threshold(50_000)
