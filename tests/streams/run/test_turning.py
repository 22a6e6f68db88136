"""Turns follow each other without the event loop, and stand still for whoever is alone."""

import asyncio
import time

import pytest

from streams.run.turning import Turning


class Wheel:
    """What is turned: it counts, and tells when somebody else was at it."""

    def __init__(self, goes_on: bool = True) -> None:
        self.turns = 0
        self.alone = False
        self.goes_on = goes_on

    def turn(self) -> bool:
        assert not self.alone, "it turns while somebody is alone with it"
        self.turns += 1
        return self.goes_on


def test_it_turns_on_while_the_event_loop_is_busy() -> None:
    async def turning() -> int:
        turning, wheel = Turning(1), Wheel()
        going = asyncio.create_task(turning.go_on(wheel.turn, 1.0))
        await asyncio.sleep(0)
        time.sleep(0.5)  # the loop is busy
        turns = wheel.turns
        await going
        turning.close()
        return turns

    assert asyncio.run(turning()) > 5


def test_from_one_turn_to_the_next_is_at_least_a_cycle() -> None:
    async def turning() -> int:
        turning, wheel = Turning(20), Wheel()
        await turning.go_on(wheel.turn, 1.0)
        turning.close()
        return wheel.turns

    assert 2 <= asyncio.run(turning()) <= 51


def test_several_that_want_to_be_alone_are_so_one_after_the_other() -> None:
    """They do not wait for the time that it would turn."""

    async def turning() -> tuple[float, int]:
        turning, wheel, together = Turning(1), Wheel(), 0
        going = asyncio.create_task(turning.go_on(wheel.turn, 60.0))
        await asyncio.sleep(0.05)

        async def work() -> None:
            nonlocal together
            async with turning.alone():
                assert not wheel.alone
                wheel.alone = True
                await asyncio.sleep(0.02)
                wheel.alone = False
                together += 1

        began_s = time.monotonic()
        await asyncio.gather(*(work() for _ in range(3)), going)
        turns = wheel.turns
        await turning.go_on(wheel.turn, 1.0)  # nobody waits any more
        assert wheel.turns > turns + 2
        turning.close()
        return time.monotonic() - began_s, together

    took_s, together = asyncio.run(turning())
    assert together == 3
    assert took_s < 10


def test_who_gave_up_waiting_holds_up_nobody() -> None:
    async def turning() -> int:
        turning, wheel = Turning(1), Wheel()
        async with turning.alone():
            waits = asyncio.create_task(turning.alone().__aenter__())
            await asyncio.sleep(0.01)
            waits.cancel()
            await asyncio.gather(waits, return_exceptions=True)
        await turning.go_on(wheel.turn, 1.0)
        turning.close()
        return wheel.turns

    assert asyncio.run(turning()) > 2


def test_a_turn_may_give_the_word_to_the_loop_and_a_failure_is_its() -> None:
    async def turning() -> int:
        turning, wheel = Turning(1), Wheel(goes_on=False)
        await turning.go_on(wheel.turn, 60.0)
        wheel.alone = True
        with pytest.raises(AssertionError, match="it turns while"):
            await turning.go_on(wheel.turn, 60.0)
        turning.close()
        return wheel.turns

    assert asyncio.run(turning()) == 1
