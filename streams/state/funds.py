"""What an insurance fund has under way: its window, its auctions, what it has asked of others."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(slots=True)
class Bid:
    """A bid that waits for its price, or for the close."""

    bid_id: str
    bidder: str
    price_e8: int
    quantity_e8: int
    """What is left of it, positive."""


@dataclass(slots=True)
class Auction:
    """A position for sale."""

    auction_id: str
    instrument: str
    quantity_e8: int
    """Signed as the fund holds it."""
    left_e8: int
    opening_price_e8: int
    floor_price_e8: int
    opened_us: int
    closes_us: int
    bids: list[Bid] = field(default_factory=list)
    """In the order in which they came."""
    heard: list[str] = field(default_factory=list)
    """Ids of all bids so far."""

    def awarded_e8(self) -> int:
        return self.quantity_e8 - self.left_e8


@dataclass(slots=True)
class Request:
    """A question to all partitions that is not settled yet."""

    request_id: str
    instrument: str | None
    """None: who has gained, to share a loss."""
    quantity_e8: int
    """Signed as the fund holds it."""


@dataclass(slots=True)
class Fund:
    """One insurance fund, between two decisions; all of it goes into the changelog."""

    window_us: int = 0
    window_equity_e8: int = 0
    arriving: list[str] = field(default_factory=list)
    """Transfers of which it has read a part: until the rest is there it does not know its worth."""
    told_e8: int | None = None
    """The balance of which `insurance-fund` tells."""
    number: int = 0
    """Of its records so far, which gives the next one its id."""
    until_us: int = 0
    """When what is under way ends, or when to try again."""
    auctions: list[Auction] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    auctioned: bool = False
    """An auction has just ended with a rest that the fund cannot carry."""
    failed: bool = False
    """Nobody took any of what was last asked for."""
    vain: int = 0
    """How often in a row all that it could ask for was asked for in vain."""

    def next_id(self, account: str) -> str:
        self.number += 1
        return f"{account}/{self.number}"

    def state(self) -> dict[str, Any]:
        """In JSON."""
        return asdict(self)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """The way back."""
        auctions = [
            Auction(**{**one, "bids": [Bid(**bid) for bid in one["bids"]]})
            for one in state["auctions"]
        ]
        requests = [Request(**one) for one in state["requests"]]
        return cls(**{**state, "auctions": auctions, "requests": requests})
