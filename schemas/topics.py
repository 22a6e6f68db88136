"""One row a topic: its name, record, key, sharing and clean-up, and what it is for."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the pipeline.

    `schema_id` is the record's id in the Confluent wire format where no schema registry is used;
    ids are never given to another record. `keyed_by` names the field whose value is the key.
    `sharing` is "account" where a partition belongs to one worker and all such topics share one
    partition count, "broadcast" where every worker reads all of it, "output" where none does.
    """

    schema_id: int
    name: str
    record: str
    keyed_by: str
    sharing: Literal["account", "broadcast", "output"]
    cleanup: Literal["delete", "compact"]
    purpose: str


TOPICS: tuple[Topic, ...] = (
    Topic(
        1,
        "instruments",
        "instrument",
        "instrument_id",
        "broadcast",
        "compact",
        "contracts and pairs that can be held",
    ),
    Topic(
        2,
        "assets",
        "asset",
        "asset",
        "broadcast",
        "compact",
        "assets that count as collateral, with haircuts",
    ),
    Topic(3, "prices", "mark", "instrument_id", "broadcast", "delete", "mark and index prices"),
    Topic(4, "fills", "fill", "account_id", "account", "delete", "both sides of every trade"),
    Topic(
        5,
        "collateral",
        "collateral",
        "account_id",
        "account",
        "delete",
        "deposits, withdrawals, moves into and out of isolated buckets",
    ),
    Topic(
        6,
        "accounts",
        "account",
        "account_id",
        "broadcast",
        "compact",
        "margin mode and status of accounts",
    ),
    Topic(
        7,
        "funding",
        "funding",
        "instrument_id",
        "broadcast",
        "delete",
        "funding payments, applied once to every position",
    ),
    Topic(
        8,
        "auction-bids",
        "bid",
        "account_id",
        "account",
        "delete",
        "bids in the auction of an account's position",
    ),
    Topic(
        9,
        "margin-state",
        "margin_state",
        "account_id",
        "output",
        "compact",
        "where an account stands, bucket by bucket",
    ),
    Topic(
        10,
        "margin-calls",
        "margin_call",
        "account_id",
        "output",
        "delete",
        "warnings, calls for margin, cures",
    ),
    Topic(
        11,
        "liquidations",
        "liquidation",
        "account_id",
        "output",
        "delete",
        "orders of the risk engine and the ends of liquidations",
    ),
    Topic(
        12,
        "transfers",
        "transfer",
        "account_id",
        "account",
        "delete",
        "movements between accounts; read back by the owner of each leg's account",
    ),
    Topic(
        13,
        "auctions",
        "auction",
        "account_id",
        "output",
        "delete",
        "openings, floors and awards of auctions",
    ),
    Topic(
        14,
        "insurance-fund",
        "insurance_fund",
        "asset",
        "output",
        "delete",
        "balance of an insurance fund after each movement",
    ),
    Topic(
        15,
        "risk-params",
        "risk_params",
        "subject",
        "broadcast",
        "compact",
        "margin tiers and scalars in force",
    ),
    Topic(
        16, "volatility", "volatility", "instrument_id", "output", "delete", "volatility estimates"
    ),
    Topic(
        17,
        "dead-letters",
        "dead_letter",
        "key",
        "output",
        "delete",
        "records that could not be applied, with their original bytes",
    ),
    Topic(
        18,
        "orders",
        "order",
        "account_id",
        "account",
        "delete",
        "open orders of accounts; an exchange that sends none is margined on positions alone",
    ),
    Topic(
        19,
        "deleveraging",
        "deleveraging",
        "request_id",
        "broadcast",
        "delete",
        "who could take what an insurance fund cannot carry; asked and answered by workers",
    ),
    Topic(
        20,
        "liquidation-map",
        "liquidation_map",
        "instrument_id",
        "output",
        "delete",
        "what would be liquidated at each price of an instrument, by partition",
    ),
)

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
BY_SCHEMA_ID: dict[int, Topic] = {topic.schema_id: topic for topic in TOPICS}
