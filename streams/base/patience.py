"""Asks a broker again while it does not answer."""

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaException

PATIENCE_S = 60.0
RETRY_S = 0.2
T = TypeVar("T")


def patiently(ask: Callable[[], T], again: Callable[[Exception], bool] = lambda error: True) -> T:
    """The answer; the last KafkaException or TimeoutError where there is none for a minute, or
    where it is not worth asking `again`."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except (KafkaException, TimeoutError) as error:
            if not again(error) or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)
