"""What the logs of a finished world must hold, told by plain Python from its inputs."""

from collections import Counter, defaultdict
from operator import itemgetter

from streams.processors.cycle import ACCOUNT_TOPICS
from streams.processors.waterfall import FundRules
from tests.reference.ledger import ClerksBook
from tests.reference.open_orders import sums_of
from tests.simulation.answers import OpenOrders
from tests.simulation.books import brought_back, entries_of, pay, post
from tests.simulation.log import FakeBroker
from tests.simulation.reading import Record, Topics, read
from tests.simulation.sharing import Shares
from tests.simulation.story import FUND, INSTRUMENTS, Story
from tests.simulation.waterfall import FundJudge
from tests.streams.state.open_orders import open_orders_of

WITH_IDS = (
    "margin-calls",
    "liquidations",
    "transfers",
    "dead-letters",
    "insurance-fund",
    "auctions",
)


class Oracle:
    """Collects what is wrong in `findings`."""

    def __init__(self, broker: FakeBroker, story: Story, rules: FundRules) -> None:
        self._topics = Topics(broker)
        self._bad = story.bad
        self._bids = story.crowd.bids
        self._waterfall = FundJudge(self._topics, story, rules)
        self._shares = Shares(self._topics)
        self.seen = self._waterfall.seen
        self.findings: list[str] = []
        self._returned: set[str] = set()
        """Ids of transfers of which a leg came back."""
        self._liquidated: set[tuple[str, str]] = set()
        """Buckets that were, at some time: they may turn away any leg of deleveraging."""

    def judge(self) -> list[str]:
        self._ids()
        self._episodes()
        self._legs()
        self._letters()
        self._waterfall.judge()
        self.findings += self._waterfall.findings
        books = [self._fold(number) for number in range(self._topics.partitions)]
        self._books(books)
        self._funds()
        return self.findings

    def _ids(self) -> None:
        """Whatever is published has an id, and no id is published twice."""
        for topic in WITH_IDS:
            ids = Counter(dict(e.headers)["plimsoll-id"] for _, e in self._topics.entries(topic))
            for name in [name for name, times in ids.items() if times > 1]:
                self.findings.append(f"{topic}: id {name!r} is there {ids[name]} times")

    def _episodes(self) -> None:
        """Outputs of an episode count 1, 2, 3 ... over both topics; episodes of a bucket too."""
        counted: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for topic, field in (("margin-calls", "call_id"), ("liquidations", "liquidation_id")):
            last: dict[str, tuple[int, int]] = {}
            for record in self._topics.records(topic):
                if record["account_id"] == FUND:
                    continue
                bucket, episode, step = record[field].rsplit("/", 2)
                self._liquidated.add((record["account_id"], record["bucket"]))
                place = int(episode), int(step)
                if place <= last.get(bucket, (0, 0)):
                    self.findings.append(f"{topic}: {record[field]} follows {last[bucket]}")
                last[bucket] = place
                counted[bucket].append(place)
        for bucket, places in counted.items():
            expected = (1, 1)
            for place in sorted(places):
                if place not in (expected, (expected[0] + 1, 1)):
                    self.findings.append(f"{bucket}: {place} is there, and {expected} is not")
                expected = place[0], place[1] + 1

    def _legs(self) -> None:
        """Every transfer has all its legs, and they sum to nothing; takeovers were ordered."""
        legs: dict[str, list[Record]] = defaultdict(list)
        for leg in self._topics.records("transfers"):
            legs[leg["transfer_id"]].append(leg)
            if leg["kind"] == "RETURN":
                self._returned.add(leg["transfer_id"].removesuffix("/return"))
        ordered: dict[tuple[str, str, int], str] = {}
        for order in self._topics.records("liquidations"):
            if order["action"] == "TAKE_OVER":
                place = order["account_id"], order["bucket"], order["episode"]
                ordered.setdefault(place, order["liquidation_id"])
        taken = {name for name, found in legs.items() if found[0]["kind"] == "TAKEOVER"}
        if set(ordered.values()) != taken:
            self.findings.append(f"ordered {sorted(ordered.values())}, moved {sorted(taken)}")
        for name, found in legs.items():
            total: Counter[str] = Counter()
            for leg in found:
                total[leg["asset"] or ""] += leg["amount_e8"]
                total[leg["instrument_id"] or "", "quantity"] += leg["quantity_e8"]
                total[leg["instrument_id"] or "", "cost"] += leg["cost_e8"]
            numbers = sorted(leg["leg"] for leg in found)
            if numbers != list(range(found[0]["legs"])) or any(total.values()):
                self.findings.append(f"transfer {name}: legs {numbers}, sums {dict(total)}")

    def _letters(self) -> None:
        """Exactly the records that were sent wrong have a letter."""
        letters = {
            dict(e.headers)["plimsoll-id"].decode() for _, e in self._topics.entries("dead-letters")
        } - self._bids.keys()
        if letters != self._bad.keys():
            self.findings.append(
                f"refused without reason {sorted(letters - self._bad.keys())}, "
                f"not refused {sorted(self._bad.keys() - letters)}"
            )

    def _fold(self, partition: int) -> ClerksBook:
        """A partition's book, turn by turn of its changelog: its inputs, and funding between."""
        book = ClerksBook(INSTRUMENTS)
        inputs = {
            topic: [(e.offset, read(topic, e.value))
                    for place, e in self._topics.entries(topic, partition)
                    if place not in self._bad or topic == "fills"]
            for topic in ACCOUNT_TOPICS
        }  # fmt: skip
        payments = [
            ((record["event_time"], record["kind"] == "SETTLEMENT"), entry.offset, record)
            for place, entry in self._topics.entries("funding", 0)
            if place not in self._bad
            for record in [read("funding", entry.value)]
        ]
        before, paid = dict.fromkeys(ACCOUNT_TOPICS, 0), set[int]()
        orders = OpenOrders(entry for _, entry in self._topics.entries("liquidations", partition))
        for state in self._topics.turns(partition):
            ends, funding = state["ends"], state["funding"]
            pending = {offset for _, offset in funding["pending"]}
            read_to = funding["read_to"].get("0", 0)
            due = sorted(
                (one for one in payments if one[1] < read_to and one[1] not in pending | paid),
                key=itemgetter(0),
            )
            paid |= {offset for _, offset, _ in due}
            for topic in ACCOUNT_TOPICS:
                for offset, record in inputs[topic]:
                    if before[topic] <= offset < ends[topic] and record:
                        while topic == "fills" and due and record["event_time"] > due[0][0][0]:
                            pay(book, due.pop(0)[2])
                        if f"{topic}-{partition}-{offset}" not in self._bad:
                            of = orders.answered(offset, record) if topic == "fills" else None
                            shares = self._shares.under_way(partition, offset)
                            self._post(book, topic, record, of, shares=shares)
            for _, _, payment in due:
                pay(book, payment)
            if ends != before:
                self.findings += self._shares.judge(partition, ends, book)
            before = ends
        return book

    def _post(
        self, book: ClerksBook, topic: str, record: Record, of: int | None, *, shares: bool
    ) -> None:
        """A leg that came back has gone to the slice of returns; whoever keeps one can take it."""
        if topic == "transfers" and record["account_id"][:1] != "@":
            back = record["transfer_id"] in self._returned
            if record["kind"] == "DELEVERAGE":
                place = record["account_id"], record["bucket"]
                closes = not shares and book.closes(*place, record["instrument_id"], record)
                if closes == back and place not in self._liquidated:
                    self.findings.append(f"{'returned' if back else 'taken'}: {record}")
            if back:
                record = {**record, "account_id": "@returns:#", "bucket": "cross"}
        post(book, topic, record, of)

    def _books(self, books: list[ClerksBook]) -> None:
        """What the changelog brings back is what a clerk would have, and nothing is made of air."""
        engine = brought_back(self._topics)
        balances, positions = entries_of(engine)
        for number, book in enumerate(books):
            ours = open_orders_of(engine, number)
            if ours != (book.orders, sums_of(book.orders)):
                self.findings.append(f"orders {number}: {ours}, not {book.orders}")
            expected = {place: e8 for place, e8 in book.balances.items() if e8}
            held = {place: tuple(p) for place, p in book.positions.items() if any(p)}
            for what, clerk, ours in (
                ("balances", expected, balances[number]), ("positions", held, positions[number])
            ):  # fmt: skip
                for place in sorted(clerk.keys() | ours.keys()):
                    if clerk.get(place, 0) != ours.get(place, 0):
                        self.findings.append(
                            f"{what} {number} {place}: {ours.get(place)}, not {clerk.get(place)}"
                        )
        deposits = sum(
            read("collateral", entry.value)["amount_e8"]
            for place, entry in self._topics.entries("collateral")
            if place not in self._bad
        )
        for number, one in enumerate((*balances, *positions)):
            left = {at: e8 for at, e8 in one.items() if at[0] in ("@returns", "@socialised")}
            if left:
                self.findings.append(f"nobody has taken {left} of {number}")
        total = sum(sum(one.values()) for one in balances)
        if total != deposits:
            self.findings.append(f"all balances are {total}, all deposits {deposits}")
        for name in INSTRUMENTS:
            sums = [
                sum(
                    pair[at] for one in positions for place, pair in one.items() if place[2] == name
                )
                for at in (0, 1)
            ]
            if any(sums):
                self.findings.append(f"{name}: quantities and costs sum to {sums}")

    def _funds(self) -> None:
        """A movement of the insurance fund is told once."""
        expected = {
            f"{FUND}/{record['transfer_id']}"
            for record in self._topics.records("transfers")
            if record["account_id"] == FUND and record["asset"]
        }
        told = {
            dict(e.headers)["plimsoll-id"].decode()
            for _, e in self._topics.entries("insurance-fund")
        }
        told = {name for name in told if "/realised/" not in name}
        missing = {name for name in expected ^ told if "/c-" not in name}
        if missing:
            self.findings.append(f"movements of the fund told or missing: {sorted(missing)}")
