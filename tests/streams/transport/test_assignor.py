"""Partitions stay where they are, spread evenly, and go first to whoever has a warm copy."""

import asyncio
import json
from collections import Counter
from types import SimpleNamespace

import faust
import pytest
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from faust.assignor.partition_assignor import PartitionAssignor
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.processors.intake import Inbox, hold_blocks
from streams.transport.assignor import Member, PartitionCountError, Plan, StickyAssignor, plan
from streams.transport.driver import block_app, use_blocks
from tests.streams.transport.conftest import PARTITIONS

TOPICS = ["collateral", "fills", "transfers"]
SESSION_S = 4

COUNTS = st.integers(0, 12)
COPIES = st.integers(0, 3)
HELD = st.frozensets(st.integers(-1, 13))
GROUPS = st.dictionaries(
    st.sampled_from("abcdef"), st.builds(Member, HELD, HELD), min_size=1, max_size=6
)


def owned(made: Plan, name: str) -> frozenset[int]:
    return frozenset(number for number, owner in made.owners.items() if owner == name)


def after(made: Plan) -> dict[str, Member]:
    """The members once they hold what they were given."""
    return {name: Member(owned(made, name), warm) for name, warm in made.standbys.items()}


def spread(loads: list[int]) -> int:
    return max(loads) - min(loads)


@given(COUNTS, GROUPS, COPIES)
def test_every_partition_has_one_owner_and_its_copies_and_loads_are_even(
    partitions: int, members: dict[str, Member], copies: int
) -> None:
    made = plan(partitions, members, copies)
    assert made.owners.keys() == set(range(partitions))
    assert made.standbys.keys() == members.keys()
    assert spread([len(owned(made, name)) for name in members]) <= 1
    assert spread([len(warm) for warm in made.standbys.values()]) <= 1
    copied = Counter(number for warm in made.standbys.values() for number in warm)
    each = min(copies, len(members) - 1)
    assert all(copied[number] == each for number in range(partitions))
    assert not any(owned(made, name) & warm for name, warm in made.standbys.items())


@given(COUNTS, GROUPS, COPIES)
def test_nothing_moves_when_nothing_changed(
    partitions: int, members: dict[str, Member], copies: int
) -> None:
    made = plan(partitions, members, copies)
    backwards = dict(reversed(after(made).items()))
    assert plan(partitions, backwards, copies) == made
    assert plan(partitions, dict(reversed(members.items())), copies) == made


@given(COUNTS, GROUPS.filter(lambda members: len(members) > 1), COPIES)
def test_only_the_partitions_of_a_leaver_move_and_to_warm_members_while_these_have_room(
    partitions: int, members: dict[str, Member], copies: int
) -> None:
    before = plan(partitions, members, copies)
    rest = after(before)
    leaver = min(rest)
    del rest[leaver]
    made = plan(partitions, rest, copies)
    loads = Counter(made.owners.values())
    for number, owner in before.owners.items():
        heir = made.owners[number]
        if owner != leaver:
            assert heir == owner
        elif number not in before.standbys[heir]:
            warm = [name for name in rest if number in before.standbys[name]]
            assert all(loads[name] >= loads[heir] for name in warm)


@given(COUNTS, GROUPS, COPIES)
def test_a_newcomer_takes_its_share_and_nothing_else_moves(
    partitions: int, members: dict[str, Member], copies: int
) -> None:
    before = plan(partitions, members, copies)
    made = plan(partitions, {**after(before), "new": Member()}, copies)
    moved = {number for number, owner in made.owners.items() if owner != before.owners[number]}
    assert moved == owned(made, "new")


def test_the_heirs_of_a_dead_owner_are_those_that_hold_its_copies() -> None:
    before = plan(12, {name: Member() for name in "abcd"}, 1)
    rest = after(before)
    del rest["b"]
    made = plan(12, rest, 1)
    for number in owned(before, "b"):
        assert number in before.standbys[made.owners[number]]


def test_an_owner_with_too_many_gives_up_what_the_newcomer_has_warm() -> None:
    members = {
        "old": Member(owned=frozenset(range(4))),
        "new": Member(warm=frozenset({0, 2})),
    }
    assert owned(plan(4, members, 0), "new") == {0, 2}


def test_who_loses_a_partition_keeps_a_copy_of_it() -> None:
    members = {
        "old": Member(owned=frozenset(range(4))),
        "new": Member(),
        "third": Member(),
    }
    made = plan(4, members, 1)
    assert made.standbys["old"] <= members["old"].owned - owned(made, "old")
    assert len(made.standbys["old"]) >= 1


def test_of_two_claims_the_one_of_the_lesser_loaded_member_wins() -> None:
    members = {
        "a": Member(owned=frozenset({0, 1, 2})),
        "b": Member(owned=frozenset({2, 3})),
    }
    assert plan(4, members, 0).owners == {0: "a", 1: "a", 2: "b", 3: "b"}


def test_no_member_no_plan() -> None:
    with pytest.raises(ValueError, match="4 partitions and no member"):
        plan(4, {}, 1)


class Cluster:
    """Partition counts of topics, as aiokafka's metadata tells them."""

    def __init__(self, **counts: int) -> None:
        self._counts = counts

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self._counts[topic])) if topic in self._counts else None


ALIKE = Cluster(**dict.fromkeys(TOPICS, PARTITIONS))


def worker(name: str, bootstrap: str = "127.0.0.1:1", web_port: int = 16_170) -> faust.App:
    app = block_app(
        "assigned", bootstrap, instance=name, session_timeout_s=SESSION_S, fetch_records=5_000,
        web_port=web_port,
    )  # fmt: skip
    app.conf.PartitionAssignor = StickyAssignor
    app.conf.table_standby_replicas = 1
    return app


def rebalance(
    apps: dict[str, faust.App],
    topics: dict[str, list[str]] | None = None,
    cluster: Cluster = ALIKE,
    leader: str = "member-b",
) -> dict[str, ConsumerProtocolMemberAssignment]:
    """What the group's coordinator does, by way of the bytes that it passes on."""
    joined = {}
    for member, app in apps.items():
        subscribed = set((topics or {}).get(member, TOPICS))
        told = app.assignor.metadata(subscribed).encode()
        joined[member] = ConsumerProtocolMemberMetadata.decode(told)
    made = apps[leader].assignor.assign(cluster, joined)
    sent = {
        member: ConsumerProtocolMemberAssignment.decode(one.encode())
        for member, one in made.items()
    }
    for member, app in apps.items():
        app.assignor.on_assignment(sent[member])
    return sent


@pytest.fixture
def pair() -> dict[str, faust.App]:
    return {"member-a": worker("a", web_port=16_170), "member-b": worker("b", web_port=16_171)}


def test_a_partition_of_all_topics_goes_to_one_worker_and_its_copy_to_the_other(
    pair: dict[str, faust.App],
) -> None:
    sent = rebalance(pair)
    for member, app in pair.items():
        assignor = app.assignor
        mine = {tp.partition for tp in assignor.assigned_actives()}
        assert len(mine) == PARTITIONS // 2
        assert assignor.assigned_actives() == {TP(t, number) for t in TOPICS for number in mine}
        assert {TP(*tp) for tp in sent[member].partitions()} == assignor.assigned_actives()
        assert assignor.standby_partitions == set(range(PARTITIONS)) - mine
    assert rebalance(pair) == sent


def test_faust_finds_what_it_asks_its_assignor_for(pair: dict[str, faust.App]) -> None:
    rebalance(pair)
    assignor, other = (app.assignor for app in pair.values())
    mine = min(assignor.assigned_actives())
    assert assignor.is_active(mine)
    assert not assignor.is_standby(mine)
    assert other.is_standby(mine)
    assert mine in other.assigned_standbys()
    assert assignor.group_for_topic("fills") == assignor.group_for_topic("transfers")
    hosts = assignor.external_topics_metadata()
    assert hosts == other.external_topics_metadata()
    assert mine.partition in hosts[str(assignor.app.conf.canonical_url)][mine.topic]
    no_tables = {host: {} for host in hosts}
    assert assignor.tables_metadata() == assignor.table_metadata("fills") == no_tables
    assignor.app.producer = SimpleNamespace(key_partition=lambda topic, key: mine)
    assert assignor.external_key_store("fills", b"acc-1") == assignor.app.conf.canonical_url


def test_a_worker_tells_what_it_holds_and_is_given_that(pair: dict[str, faust.App]) -> None:
    pair["member-a"].assignor.held = lambda: (frozenset({1}), frozenset({2}))
    told = json.loads(pair["member-a"].assignor.metadata({"fills"}).user_data)
    assert (told["owned"], told["warm"]) == ([1], [2])
    pair["member-b"].assignor.held = lambda: (frozenset({0, 2, 3}), frozenset())
    rebalance(pair)
    owned_by_a = {tp.partition for tp in pair["member-a"].assignor.assigned_actives()}
    assert owned_by_a == {1, 2}


def test_a_static_member_may_take_its_old_assignment_at_another_address(
    pair: dict[str, faust.App],
) -> None:
    """The broker gives a member that restarts within its session what its predecessor had."""
    sent = rebalance(pair)
    again = worker("a", web_port=16_179).assignor
    again.on_assignment(sent["member-a"])
    assert again.assigned_actives() == pair["member-a"].assignor.assigned_actives()
    assert again.standby_partitions == pair["member-a"].assignor.standby_partitions


def test_a_topic_that_not_all_subscribe_to_is_left_out(pair: dict[str, faust.App]) -> None:
    sent = rebalance(pair, {"member-a": ["fills"]})
    assert {topic for one in sent.values() for topic, _ in one.assignment} == {"fills"}


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        (Cluster(collateral=4, fills=8, transfers=4), "collateral has 4, fills has 8, transfers"),
        (Cluster(collateral=4, fills=4), "fills has 4, transfers has 0"),
        (Cluster(), "collateral has 0, fills has 0, transfers has 0"),
    ],
)
def test_topics_that_are_not_partitioned_alike_or_not_known_are_refused(
    pair: dict[str, faust.App], cluster: Cluster, told: str
) -> None:
    with pytest.raises(PartitionCountError, match=told):
        rebalance(pair, cluster=cluster)


def test_its_protocol_is_not_fausts(pair: dict[str, faust.App]) -> None:
    ours = pair["member-a"].assignor
    assert ours.name != PartitionAssignor(ours.app).name


async def share_and_inherit(bootstrap: str) -> None:
    apps = [worker(name, bootstrap, 16_172 + number) for number, name in enumerate("ab")]
    for app in apps:
        use_blocks(app, lambda topic, number: None)
        hold_blocks(app, TOPICS, Inbox())
    await asyncio.gather(*(app.start() for app in apps))
    everything = {TP(topic, number) for topic in TOPICS for number in range(PARTITIONS)}
    stays, leaves = apps
    try:
        while not all(len(app.assignor.standby_partitions) == 2 for app in apps):
            await asyncio.sleep(0.05)
        for app in apps:
            fed = app.consumer.assignment()
            assert fed == app.assignor.assigned_actives()
            assert {tp.partition for tp in fed} | app.assignor.standby_partitions == set(
                range(PARTITIONS)
            )
        assert stays.consumer.assignment() == everything - leaves.consumer.assignment()
        await leaves.stop()
        while stays.consumer.assignment() != everything:
            await asyncio.sleep(0.05)
        assert stays.assignor.standby_partitions == frozenset()
    finally:
        await asyncio.gather(*(app.stop() for app in apps))


@pytest.mark.embedded
def test_workers_share_the_partitions_and_who_stays_inherits(bootstrap: str) -> None:
    asyncio.run(asyncio.wait_for(share_and_inherit(bootstrap), 60))
