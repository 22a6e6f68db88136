"""The contenders are judged by their changelogs: a wrong one does not count."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from confluent_kafka import Producer

from benchmarks import contender
from benchmarks.chart import drawn
from benchmarks.contender import ContenderFailedError, Timing
from benchmarks.fills import Load, Part, merged
from benchmarks.peers import changelogs, contest, installed
from benchmarks.peers.contenders import PEERS
from benchmarks.peers.contest import OURS, Contest
from benchmarks.peers.installed import NotInstalledError
from benchmarks.peers.job import PACKED, booked, decoded, place_of
from benchmarks.peers.table import HEAD, contest_rows
from benchmarks.reference import ReferenceBook
from benchmarks.results import contest_charts
from benchmarks.workload import listed, trades
from schemas.record_codec import encode
from streams.run.broker import EmbeddedBroker

INSTRUMENTS = frozenset(listing.instrument_id for listing in listed())


def test_the_job_of_the_contenders_is_that_of_the_reference() -> None:
    held, reference = dict[str, list[int]](), ReferenceBook()
    for event in trades(3, 20, 2_000):
        reference.fill(event.record)
        fill = decoded(event.key.encode(), encode("fill", event.record), INSTRUMENTS)
        place = place_of(fill)
        held[place] = booked(held.get(place, (0, 0, 0)), fill)
    assert merged(held) == reference.state()


@pytest.mark.parametrize(
    ("changed", "key"),
    [({}, "a-000001"), ({"instrument_id": "NONE-PERP"}, "a-000000"), ({"price_e8": 0}, "a-000000"),
     ({"quantity_e8": -1}, "a-000000")],
)  # fmt: skip
def test_the_job_refuses_what_cannot_be_booked(changed: dict[str, Any], key: str) -> None:
    record = next(trades(3, 1, 2)).record
    decoded(b"a-000000", encode("fill", record), INSTRUMENTS)
    with pytest.raises(ValueError, match="f-000000000000"):
        decoded(key.encode(), encode("fill", record | changed), INSTRUMENTS)


def test_changelogs_are_read_in_the_format_of_each() -> None:
    packed = PACKED.pack(5, -7, 2**62)
    assert changelogs.packed(b"a BTC-PERP", packed) == ("a BTC-PERP", [5, -7, 2**62])
    assert changelogs.of_quix(b'a|"BTC-PERP"', b"[5,-7,0]") == ("a BTC-PERP", [5, -7, 0])
    assert changelogs.of_faust(b'"a BTC-PERP"', b"[5, -7, 0]") == ("a BTC-PERP", [5, -7, 0])


@pytest.mark.embedded
def test_a_changelog_is_folded_to_its_last_values_and_a_wrong_one_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peer = PEERS[0]
    with EmbeddedBroker() as broker:
        part = Part("fills", {0: 2}, {"positions": {"a X": [5, 7]}, "cash": {"a": -3}})
        load = Load(broker.bootstrap, {}, 2, 2, "", {1: part})

        def ran(_command: list[str], given: dict[str, Any]) -> tuple[Timing, dict[str, Any]]:
            producer = Producer({"bootstrap.servers": broker.bootstrap})
            for value in values:
                producer.produce(given["changelog"], PACKED.pack(*value), "a X")
            assert producer.flush(30) == 0
            return Timing(2, 0.0, 1.0, 2.0, 1.0, 0), {}

        monkeypatch.setattr(contender, "timed", ran)
        values = [(5, 6, -1), (5, 7, -3)]
        assert contest.compete(load, peer, [], "right").per_s == 2.0
        values = [(5, 7, -3), (5, 6, -1)]
        with pytest.raises(ContenderFailedError, match=r"a X: \[5, 6\], expected \[5, 7\]"):
            contest.compete(load, peer, [], "wrong")


def test_what_is_not_installed_is_told_and_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(NotInstalledError, match=r"requirements\.txt"):
        installed.python(fetch=False)
    with pytest.raises(NotInstalledError, match=r"PATH|pom\.xml"):
        installed.classpath(fetch=False)
    assert list(tmp_path.iterdir()) == []


def test_rows_and_picture_tell_how_many_times_ours_is_faster() -> None:
    ours, theirs = Timing(300, 0.0, 1.0, 2.0, 3.0, 2**20), Timing(300, 0.0, 1.0, 4.0, 12.0, 2**21)
    result = Contest("a broker", 7, {"theirs": [theirs], OURS: [ours]}, {"third": "no java"}, "")
    first, second, missing = (dict(zip(HEAD, row, strict=True)) for row in contest_rows(result))
    assert (first["contender"], first["fills/s"]) == (OURS, "300")
    assert (second["fills/s"], second["ours is"], second["ours by CPU"]) == (
        "100",
        "3.00 x",
        "4.00 x",
    )
    assert (second["CPU us/fill"], second["peak MiB"]) == ("40,000.0", "2")
    assert missing["contender"] == "third"
    assert "no java" in missing.values()
    lengths = [
        float(bar.get("width", "0"))
        for bar in ElementTree.fromstring(drawn(contest_charts([result]))).iter(
            "{http://www.w3.org/2000/svg}rect"
        )
    ][1:]
    assert lengths[0] == pytest.approx(3 * lengths[1], rel=0.01)
