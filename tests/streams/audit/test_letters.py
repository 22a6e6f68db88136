"""Every record of the inputs is applied or has one letter that is true."""

from typing import Any

from schemas.record_codec import encode
from streams.audit.reading import Entry
from tests.streams.audit.conftest import Run


def letter_about(place: tuple[str, int], entry: Entry, reason: str) -> dict[str, Any]:
    return {
        "event_time": 1, "topic": place[0], "partition": place[1], "offset": entry.offset,
        "reason": reason, "message": "", "key": entry.key, "value": entry.value,
        "schema_id": None, "timestamp_ms": None,
    }  # fmt: skip


def write(run: Run, letter: dict[str, Any]) -> None:
    entry = Entry(0, letter["key"], encode("dead_letter", letter), 0)
    run.append(("dead-letters", letter["partition"]), entry)


def test_a_letter_for_a_good_record_is_found(run: Run) -> None:
    place = ("fills", 1)
    write(run, letter_about(place, run.log[place][4], "OFF_TICK_PRICE"))
    findings = run.audit()
    assert findings.letters == [
        "a letter says OFF_TICK_PRICE of fills-1 offset 8, which breaks no rule"
    ]
    assert not findings.wrong, "the record was applied, and must have been"


def test_a_duplicate_that_is_none_is_found(run: Run) -> None:
    place = ("fills", 1)
    write(run, letter_about(place, run.log[place][4], "DUPLICATE_ID"))
    assert "says DUPLICATE_ID of fills-1 offset 8" in run.audit().letters[0]


def test_missing_letters_are_found(run: Run) -> None:
    gone = [record for *_, record in run.entries("dead-letters")]
    for place in [place for place in run.log if place[0] == "dead-letters"]:
        run.log[place].clear()
    assert sorted(run.audit().letters) == sorted(
        f"fills-{record['partition']} offset {record['offset']} is {record['reason']} "
        "and has no letter"
        for record in gone
    )


def test_a_letter_written_twice_is_found(run: Run) -> None:
    place, _, entry, record = run.entries("dead-letters")[0]
    run.append(place, entry._replace(headers={}))
    where = f"{record['topic']}-{record['partition']} offset {record['offset']}"
    assert run.audit().letters == [f"{where} has 2 letters"]


def test_a_letter_with_another_reason_is_found(run: Run) -> None:
    place, at, _, _ = run.entries("dead-letters")[0]
    run.rewrite(place, at, reason="WRONG_KEY")
    assert "a letter says WRONG_KEY of fills-" in run.audit().letters[0]


def test_a_letter_that_lost_the_bytes_is_found(run: Run) -> None:
    place, at, _, _ = run.entries("dead-letters")[0]
    run.rewrite(place, at, value=b"other")
    assert run.audit().letters[0].endswith("does not keep the record's bytes")


def test_a_letter_about_nothing_is_found(run: Run) -> None:
    entry = Entry(999_999, b"k", b"v", 0)
    write(run, letter_about(("fills", 0), entry, "UNDECODABLE"))
    assert run.audit().letters == ["a letter is about fills-0 offset 999999, which is not"]
