"""Who owns which partition: sticky, balanced, and first to whoever holds a warm copy."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor

Held = Callable[[], tuple[frozenset[int], frozenset[int]]]
"""The partitions whose state a worker has as owner, and those of which it has a warm copy."""


class PartitionCountError(ValueError):
    """Topics that must be partitioned alike are not, or are not known."""


@dataclass(frozen=True, slots=True)
class Member:
    """What one member of the group has in memory."""

    owned: frozenset[int] = frozenset()
    warm: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """The owner of each partition, and the partitions of which each member keeps a warm copy."""

    owners: dict[int, str]
    standbys: dict[str, frozenset[int]]


def plan(partitions: int, members: Mapping[str, Member], standbys: int) -> Plan:
    """Give each partition an owner and `standbys` warm copies, or as many as others are there.

    Loads differ by one at most. Within that an owner keeps what it owns, then a warm member goes
    first, then the least loaded. The order of `members` does not matter.
    """
    if not members:
        raise ValueError(f"{partitions} partitions and no member: a plan needs one")
    owners = _owners(partitions, members)
    return Plan(owners, _standbys(owners, members, min(standbys, len(members) - 1)))


def _owners(partitions: int, members: Mapping[str, Member]) -> dict[int, str]:
    names = sorted(members)
    claims = {p: [n for n in names if p in members[n].owned] for p in range(partitions)}
    warm = {p: [n for n in names if p in members[n].warm] for p in range(partitions)}
    share, larger = divmod(partitions, len(names))  # `larger` members own one more
    short = {n for n in names if len(members[n].owned) < share}
    loads = dict.fromkeys(names, 0)
    owners: dict[int, str] = {}
    for choices in (claims, warm, dict.fromkeys(range(partitions), names)):
        # what has the fewest choices goes first; what a short member could take over goes last,
        # so that an owner with too many gives up that
        order = sorted(
            choices.keys() - owners.keys(),
            key=lambda p: (len(choices[p]), not short.isdisjoint(warm[p]), p),
        )
        for partition in order:
            room = [n for n in choices[partition] if loads[n] < share + (larger > 0)]
            if room:
                owner = owners[partition] = min(room, key=loads.__getitem__)
                larger -= loads[owner] == share
                loads[owner] += 1
    return owners


def _standbys(
    owners: Mapping[int, str], members: Mapping[str, Member], copies: int
) -> dict[str, frozenset[int]]:
    held = {name: members[name].owned | members[name].warm for name in sorted(members)}
    warm: dict[str, set[int]] = {name: set() for name in held}

    def load(name: str, owner: str) -> tuple[int, int]:
        # copies of one owner's partitions lie apart: its heirs share them
        return len(warm[name]), sum(owners[p] == owner for p in warm[name])

    for keep in (True, False):
        for partition, owner in sorted(owners.items()):
            missing = copies - sum(partition in kept for kept in warm.values())
            others = [
                name
                for name in held.keys() - {owner}
                if partition not in warm[name] and (partition in held[name] or not keep)
            ]
            others.sort(key=lambda name: (load(name, owner), name))
            for name in others[:missing]:
                warm[name].add(partition)
    while moves := _levelling_moves(owners, held, warm):
        for giver, taker, partition in moves:
            warm[giver].remove(partition)
            warm[taker].add(partition)
    return {name: frozenset(kept) for name, kept in warm.items()}


def _levelling_moves(
    owners: Mapping[int, str], held: Mapping[str, frozenset[int]], warm: Mapping[str, set[int]]
) -> list[tuple[str, str, int]]:
    """Hand one copy from a member to another with at least two fewer, by way of others if need be.

    A direct way is barred where the taker owns all that it could take.
    """
    by_load = sorted(warm, key=lambda name: (len(warm[name]), name))
    for giver in reversed(by_load):
        enough = len(warm[giver]) - 2
        if len(warm[by_load[0]]) > enough:
            break
        ways: dict[str, list[tuple[str, str, int]]] = {giver: []}
        reached = [giver]
        for name in reached:  # grows on the way: breadth first, so the shortest way is found
            for taker in by_load:
                movable = [p for p in warm[name] - warm[taker] if owners[p] != taker]
                if taker in ways or not movable:
                    continue
                partition = min(movable, key=lambda p: (p in held[name], p))
                ways[taker] = [*ways[name], (name, taker, partition)]
                if len(warm[taker]) <= enough:
                    return ways[taker]
                reached.append(taker)
    return []


class StickyAssignor(PartitionAssignor):  # type: ignore[misc]
    """Faust's assignor for topics that are partitioned alike and apps without tables.

    Partition p of every topic goes to one worker. Set `held` to what the worker has in memory;
    until then that is what it was last given. `held` is called on Faust's consumer thread.
    """

    def __init__(self, app: Any, replicas: int = 0) -> None:
        super().__init__(app, replicas)
        self.held: Held = lambda: (
            frozenset(tp.partition for tp in self._active_tps),
            self.standby_partitions,
        )

    @property
    def name(self) -> str:
        """The group's protocol: a member that knows only Faust's own is refused."""
        return "plimsoll-sticky"

    @property
    def version(self) -> int:
        """The layout of the protocol's messages; Faust's 4 promises fields that are not there."""
        return 0

    @property
    def standby_partitions(self) -> frozenset[int]:
        """The partitions of which this worker is to keep a warm copy, by the last assignment."""
        return frozenset(tp.partition for tp in self._standby_tps)

    def metadata(self, topics: set[str]) -> ConsumerProtocolMemberMetadata:
        """What this worker tells the leader when it joins."""
        owned, warm = self.held()
        told = {"owned": sorted(owned), "warm": sorted(warm), "url": str(self._url)}
        return ConsumerProtocolMemberMetadata(
            self.version, sorted(topics), json.dumps(told).encode()
        )

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Take what the leader gave.

        A static member that restarts is given its old assignment, made for its old address: unlike
        Faust, we do not insist on the address.
        """
        given = ClientMetadata.loads(self._decompress(assignment.user_data))
        self._assignment = given.assignment
        self._topic_groups = dict(given.topic_groups)
        self._active_tps = given.assignment.active_tps
        self._standby_tps = given.assignment.standby_tps
        self.changelog_distribution = given.changelog_distribution
        self.external_topic_distribution = given.external_topic_distribution

    def _perform_assignment(
        self, cluster: ClusterMetadata, member_metadata: Mapping[str, Any]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        topics = sorted(set.intersection(*(set(m.subscription) for m in member_metadata.values())))
        told = {member: json.loads(m.user_data) for member, m in member_metadata.items()}
        made = plan(
            _partition_count(cluster, topics),
            {
                member: Member(frozenset(one["owned"]), frozenset(one["warm"]))
                for member, one in told.items()
            },
            self.replicas,
        )
        self._member_urls = {member: one["url"] for member, one in told.items()}
        assignments = {}
        for member, standbys in made.standbys.items():
            owned = sorted(p for p, owner in made.owners.items() if owner == member)
            assignments[member] = ClientAssignment(
                actives=dict.fromkeys(topics, owned),
                standbys=dict.fromkeys(topics, sorted(standbys)),
            )
        given: dict[str, ConsumerProtocolMemberAssignment] = self._protocol_assignments(
            assignments,
            self._get_changelog_distribution(assignments),
            self._get_external_topic_distribution(assignments),
            dict.fromkeys(topics, 0),
        )
        return given


def _partition_count(cluster: ClusterMetadata, topics: list[str]) -> int:
    """The number of partitions that all `topics` have; a topic that is not known has none."""
    counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        listed = ", ".join(f"{topic} has {count}" for topic, count in counts.items())
        raise PartitionCountError(f"{listed}: these topics need one number of partitions")
    return next(iter(counts.values()), 0)
