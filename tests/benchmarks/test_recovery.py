"""The checksum by which the benchmark of recovery judges a book."""

import numpy as np
import pytest

from benchmarks import contender, full_book, recovery
from benchmarks.contender import ContenderFailedError
from streams.state.account_book import AccountBook

Entry = tuple[str, int, int]


def test_a_checksum_is_the_same_whatever_the_order_of_rows() -> None:
    entries = [("a", 0, 5), ("b", 1, 7), ("b", 0, 9)]
    assert full_book.fingerprint(_book(entries)) == full_book.fingerprint(_book(entries[::-1]))


@pytest.mark.parametrize(
    "entries",
    [
        [("a", 0, 7), ("b", 0, 5)],  # two accounts' positions changed hands
        [("a", 0, 5), ("b", 1, 7)],  # another instrument
        [("a", 0, 6), ("b", 0, 6)],  # the same sum
        [("a", 0, 5)],
    ],
)
def test_a_checksum_tells_whose_positions_are_where(entries: list[Entry]) -> None:
    right = full_book.fingerprint(_book([("a", 0, 5), ("b", 0, 7)]))
    assert full_book.fingerprint(_book(entries)) != right


def test_a_book_that_differs_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    right = full_book.fingerprint(_book([("a", 0, 5)]))
    found = full_book.fingerprint(_book([("a", 0, 6)]))
    timed = {"records": 1, "bytes": 8, "plain_s": 1.0, "recovery_s": 2.0, "peak_bytes": 3}
    monkeypatch.setattr(contender, "result_of", lambda *_: timed | {"fingerprint": found})
    with pytest.raises(ContenderFailedError, match=f"{found:016x}, expected {right:016x}"):
        recovery.recovered("127.0.0.1:1", "app", right, warm=False)


def _book(entries: list[Entry]) -> AccountBook:
    """Of (account, instrument, quantity) on the cross pools."""
    book = AccountBook()
    for name, instrument, quantity in entries:
        bucket = book.cross_bucket(book.account_rows([name], 0)[0])
        rows = book.position_rows(np.array([bucket]), np.array([instrument]))
        book.positions["quantity_e8"][rows] = quantity
    return book
