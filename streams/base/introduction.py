"""Lets a new client meet its brokers before it is asked for anything."""

from contextlib import suppress
from typing import TypeVar

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

TIMEOUT_S = 2.0
Client = TypeVar("Client", Consumer, Producer, AdminClient)


def introduced(client: Client) -> Client:
    """`client`, knowing its brokers if they answer.

    What it is asked while its bootstrap connections give way to those of the brokers fails unseen,
    and is tried again only after 0.5 to 3 s.
    """
    with suppress(KafkaException):  # it goes on trying by itself
        client.list_topics(timeout=TIMEOUT_S)
    return client
