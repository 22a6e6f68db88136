"""From a price handed to a producer to the liquidation that it causes, received by a consumer."""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import Producer, TopicPartition

from benchmarks.contender import SESSION_TIMEOUT_S, ContenderFailedError
from benchmarks.loader import Loader
from benchmarks.reference import ReferenceBook
from benchmarks.workload import (
    LONGS_MINUS_SHORTS,
    TIERS,
    USDT,
    account_name,
    holdings,
    listed,
    mark,
    opening,
)
from schemas.record_codec import decode, encode
from streams.run.broker import EmbeddedBroker
from streams.run.children import Child
from streams.run.topics import ensure_topics
