"""Which accounts a turn has touched: the same as a look at all of them finds."""

import numpy as np

from streams.state.account_book import AccountBook

PARTITION = 0


def test_what_is_noted_is_what_a_look_at_all_finds() -> None:
    chance, book = np.random.default_rng(7), AccountBook()
    for turn in range(200):
        names = [f"account-{number}" for number in chance.integers(0, 60, 5).tolist()]
        rows = book.account_rows(names, PARTITION)
        if turn % 3 == 0:
            book.touched.clear(rows[:2])
        if turn % 7 == 0:
            book.accounts.release(np.unique(rows[2:]))  # others take their rows
        accounts = book.accounts
        everywhere = np.flatnonzero(accounts.live & accounts["dirty"])
        assert book.touched.rows().tolist() == everywhere.tolist()
        if turn % 5 == 0:
            book.touched.clear(everywhere)
            assert not len(book.touched.rows())
