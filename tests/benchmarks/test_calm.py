"""Which runs count where the host of the machine takes CPU time away."""

from benchmarks.calm import calmest


def _counted(shares: list[float], runs: int) -> tuple[list[int], int]:
    """The numbers of the runs that count, where the host kept these, and how many were made."""
    made = iter(enumerate(shares))
    found = calmest(lambda: next(made), lambda one: one[1], runs, wait=lambda: None)
    return [number for number, _ in found], len(shares) - len(list(made))


def test_calm_runs_all_count_and_no_more_are_made() -> None:
    assert _counted([0.0, 0.01, 0.005, 0.0, 0.0, 0.0], 3) == ([0, 2, 1], 3)


def test_a_disturbed_run_is_made_again() -> None:
    assert _counted([0.0, 0.40, 0.01, 0.0, 0.0, 0.0], 3) == ([0, 3, 2], 4)


def test_where_the_host_is_never_calm_the_calmest_of_twice_as_many_count() -> None:
    assert _counted([0.5, 0.1, 0.3, 0.01, 0.2, 0.4], 3) == ([3, 1, 4], 6)
