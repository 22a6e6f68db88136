"""The changelog: what is written comes back, and what is not whole is refused with a reason."""

import json

import numpy as np
import pytest

from schemas.units import E8
from streams.market.config import MarketConfig
from streams.processors.cycle import ACCOUNT_TOPICS, Cycle
from streams.processors.report import report
from streams.state.changelog import ChangelogError
from streams.state.partition_log import NAMES, OPENING, PARTITION, Image
from tests.reference.changelog import record_of
from tests.simulation.driver import PARTITIONS, Driver
from tests.streams.state.exchange import Bench, deposit, fill, funding, instrument, mark

CONFIG = MarketConfig(
    seed=7, accounts=150, fills_per_s=60.0, crash_at_s=20.0, fall_s=40.0, opening_s=15.0
)
Records = dict[bytes, bytes]


def written(cycle: Cycle, *partitions: int) -> dict[int, Records]:
    """What a reader of the changelog has of the partitions after this turn."""
    ends = {number: cycle.ends(number) for number in partitions}
    images = {}
    for number, pairs in cycle.log.records(ends).items():
        images[number] = Image()
        images[number].take(pairs)
    return {number: image.records for number, image in images.items()}


def small() -> tuple[Bench, Records]:
    bench = Bench()
    bench.send("collateral", deposit(1), deposit(2, "bob"))
    bench.send("fills", fill(1), fill(2, "bob", side="SELL", margin_mode="ISOLATED"))
    return bench, written(bench.cycle, 0)[0]


@pytest.fixture(scope="module")
def crash() -> tuple[Driver, dict[int, Records]]:
    """A run through a crash, and what the changelog has of it."""
    run = Driver(100, CONFIG).run(300)
    return run, written(run.cycle, *range(PARTITIONS))


def test_a_crash_comes_back_whole_under_other_numbers(
    crash: tuple[Driver, dict[int, Records]],
) -> None:
    run, images = crash
    again = Cycle(PARTITIONS)
    rules = run.cycle.ledger.rules
    for record in reversed([rules._instrument[name] for name in rules.instruments]):
        again.ledger.rules.take_instrument(record)  # heard of in another order
    for record in reversed(list(rules._asset.values())):
        again.ledger.rules.take_asset(record)
    for number, image in images.items():
        again.take_partition(number, image)
        assert again.ends(number) == run.cycle.ends(number)
    same = ("stages", "assets", "digest")
    assert {k: report(again)[k] for k in same} == {k: report(run.cycle)[k] for k in same}
    assert int(run.cycle.ledger.book.buckets["episode"].sum()) > 20
    assert report(again)["instruments"] == report(run.cycle)["instruments"]


def test_each_record_is_what_its_format_says(crash: tuple[Driver, dict[int, Records]]) -> None:
    run, images = crash
    book = run.cycle.ledger.book
    assert len(book.buckets) > len(book.accounts), "somebody isolates a position"
    for row in book.accounts.live_rows().tolist():
        image = images[int(book.accounts["partition"][row])]
        value = image[book.accounts.name(row).encode()]
        assert value == record_of(book, row, run.cycle.log._names), book.accounts.name(row)


def test_only_touched_accounts_are_written() -> None:
    bench = Bench()
    bench.send("collateral", deposit(1), deposit(2, "bob"))
    written(bench.cycle, 0)
    bench.send("collateral", deposit(3))
    assert {key for key in written(bench.cycle, 0)[0] if key[:1] != b"\0"} == {b"alice"}
    bench.send("prices", mark(1))
    bench.cycle.decide()
    assert {key for key in written(bench.cycle, 0)[0] if key[:1] != b"\0"} == set()


def test_version_3_is_pinned() -> None:
    """Bytes that were written once must be read for ever."""
    _, image = small()
    word = "{:016x}".format
    words = [word(int(one)) for one in np.frombuffer(image[b"bob"], "<u8")]
    assert words[:1] + words[2:] == [
        "0001000100020003", "0000000000000002", "0000000000000000", "0000000000000002",
        "0000000000000000", "00000000ffffffff", *["0000000000000000"] * 14,
        "000000e8d4a51000", "0000000000000001", "fffffffffa0a1f00", "fffffb73d8c6b000",
    ]  # fmt: skip
    assert words[1] == "270c4eb8297c18ad"


def test_ids_are_remembered_across_a_restart() -> None:
    _, image = small()
    again = Bench()
    again.cycle.take_partition(0, image)
    again._end["fills", 0] = 2
    again.send("fills", fill(1))
    assert [letter["reason"] for letter in again.letters()] == ["DUPLICATE_ID"]


def test_what_was_applied_is_skipped_and_counted() -> None:
    bench, image = small()
    again = Bench()
    again.cycle.take_partition(0, image)
    again.send("collateral", deposit(1), deposit(2, "bob"))
    again.send("fills", fill(1), fill(2, "bob", side="SELL", margin_mode="ISOLATED"))
    assert dict(again.cycle.skipped) == {"collateral": 2, "fills": 2}
    assert again.balances() == bench.balances()


def test_an_account_ahead_of_its_partition_is_not_applied_twice() -> None:
    bench = Bench()
    bench.send("collateral", deposit(1), deposit(2, "bob"))
    old = written(bench.cycle, 0)[0]
    bench.send("collateral", deposit(3), deposit(4, "bob"))
    torn = {**old, b"alice": written(bench.cycle, 0)[0][b"alice"]}
    again = Bench()
    state = json.loads(torn[PARTITION][1:])
    state["seals"] = 0
    rows = np.frombuffer(torn[b"alice"] + torn[b"bob"], "<u8")
    sizes = len(torn[b"alice"]) // 8
    state["seals"] = (int(rows[1]) + int(rows[sizes + 1])) % 2**64
    torn[PARTITION] = torn[PARTITION][:1] + json.dumps(state).encode()
    again.cycle.take_partition(0, torn)
    again._end["collateral", 0] = 2
    again.send("collateral", deposit(3), deposit(4, "bob"))
    assert dict(again.cycle.skipped) == {"collateral": 1}
    assert again.balances() == bench.balances()


def test_the_transfer_of_a_slice_takes_its_number_with_it_across_a_restart() -> None:
    """Else the next one would have the same id, and whoever has had that would refuse it."""
    slice_ = "@penalties:USDT#0"
    bench = Bench()
    bench.send("collateral", deposit(1, slice_))
    written(bench.cycle, 0)
    bench.send("prices", mark(1))
    bench.cycle.decide()
    legs = [one.values for one in bench.cycle.take_outputs() if one.topic == "transfers"]
    assert {leg["transfer_id"] for leg in legs} == {f"{slice_}/1"}
    turn = dict(bench.cycle.log.records({0: bench.cycle.ends(0)})[0])
    assert slice_.encode() in turn


def test_funding_is_paid_once_across_a_restart() -> None:
    bench, _ = small()
    bench.send("funding", funding(5))
    bench.send("prices", mark(10))
    bench.cycle.decide()
    bench.send("funding", funding(20))
    image = written(bench.cycle, 0)[0] | {}
    whole = Image()
    whole.take(small()[1].items())
    whole.take(image.items())
    again = Bench()
    again.send("funding", funding(5), funding(20))
    again.cycle.take_partition(0, whole.records)
    again.send("prices", mark(10))
    again.cycle.decide()
    assert again.balances() == bench.balances()
    for one in (bench, again):
        one.send("prices", mark(30))
        one.cycle.decide()
    assert again.balances() == bench.balances()


def test_a_payment_that_the_owner_before_made_and_we_have_not_heard_of_is_not_made_again() -> None:
    bench, _ = small()
    bench.send("funding", funding(5))
    bench.send("prices", mark(10))
    bench.cycle.decide()
    whole = Image()
    whole.take(small()[1].items())
    whole.take(written(bench.cycle, 0)[0].items())
    again = Bench()
    again.cycle.catch_up = lambda: again.send("funding", funding(5))
    again.cycle.take_partition(0, whole.records)
    again.send("prices", mark(10))
    again.cycle.decide()
    assert again.balances() == bench.balances()


def test_what_a_broken_turn_left_is_not_read() -> None:
    bench, whole = small()
    image = Image()
    image.take(whole.items())
    bench.send("collateral", deposit(5))
    broken = [pair for pair in written(bench.cycle, 0)[0].items() if pair[0] != PARTITION]
    image.take(broken)
    assert image.records == whole
    image.take([OPENING])
    image.take([(PARTITION, whole[PARTITION])])
    assert image.records == whole


def test_a_changelog_that_is_not_whole_is_refused_with_a_reason() -> None:
    _, whole = small()
    damaged = bytearray(whole[b"alice"])
    damaged[-1] ^= 1
    newer = bytes([5]) + whole[b"alice"][1:]
    cases: list[tuple[Records, str]] = [
        ({**whole, b"alice": bytes(damaged)}, "'alice' is damaged: its seal does not fit"),
        ({**whole, b"alice": newer}, "version 5, and this worker reads versions 3 and 4"),
        ({**whole, b"alice": whole[b"alice"][:-3]}, "bytes, which no record has"),
        ({k: v for k, v in whole.items() if k != b"alice"}, "records are missing"),
        ({k: v for k, v in whole.items() if k != PARTITION}, "no record of the partition"),
        ({k: v for k, v in whole.items() if k != NAMES}, "no record of names"),
        ({**whole, PARTITION: b"\x01{"}, "is damaged"),
        ({**whole, PARTITION: b"\x02{}"}, "has version 2"),
    ]
    for image, reason in cases:
        bench = Bench()
        with pytest.raises(ChangelogError, match=reason) as caught:
            bench.cycle.take_partition(0, image)
        assert "--rebuild" in str(caught.value)
        assert not len(bench.cycle.ledger.book.accounts)


def test_a_changelog_of_another_app_is_refused() -> None:
    _, whole = small()
    bench = Bench(app="other")
    with pytest.raises(ChangelogError, match="written by app 'plimsoll'"):
        bench.cycle.take_partition(0, whole)


def test_a_name_that_nobody_lists_is_refused() -> None:
    bench = Bench()
    bench.send("instruments", instrument("XRP-PERP", "LINEAR_PERP", "XRP", "USDT"))
    bench.send("fills", fill(1, instrument_id="XRP-PERP"))
    image = written(bench.cycle, 0)[0]
    with pytest.raises(ChangelogError, match="hold XRP-PERP, which no record of `instruments`"):
        Bench().cycle.take_partition(0, image)


def test_a_quarantine_comes_back_unless_it_was_cleared() -> None:
    bench, _ = small()
    bench.send("fills", fill(3, price_e8=-E8))
    image = Image()
    image.take(small()[1].items())
    image.take(written(bench.cycle, 0)[0].items())
    again = Bench()
    again.cycle.take_partition(0, image.records)
    accounts = again.cycle.ledger.book.accounts
    assert accounts["quarantined"][accounts.find("alice")]
    assert set(ACCOUNT_TOPICS) == set(again.cycle.ends(0))


def test_the_last_record_is_read_once_more_and_must_be_the_same() -> None:
    bench, image = small()
    again = Bench()
    again.cycle.take_partition(0, image)
    assert again.cycle.resume_at("fills", 0) == 1
    again._end["fills", 0] = 1
    again.send("fills", fill(2, "bob", side="SELL", margin_mode="ISOLATED"), fill(3))
    assert (again.cycle.skipped["fills"], again.cycle.applied["fills"]) == (1, 1)
    anew = Bench()
    anew.cycle.take_partition(0, image)
    anew._end["fills", 0] = 1
    with pytest.raises(ChangelogError, match="fills-0: the record at offset 1 is not the one"):
        anew.send("fills", fill(7))
    assert bench.cycle.resume_at("transfers", 0) == 0
