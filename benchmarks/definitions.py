"""What each part of the results is, and how it was measured, in words."""

TITLES = {
    "fills": "Fills a second",
    "peers": "Side by side",
    "decisions": "Prices to decisions",
    "latency": "Price to liquidation",
    "cascade": "Cascade",
    "memory": "Memory",
    "kernels": "Kernels",
    "sink": "Sink",
    "questions": "Questions",
    "recovery": "Recovery",
    "guarantee": "Guarantee",
    "failover": "Failover",
    "scaling": "Scaling",
}
"""The parts, in the order of the page."""

EVERYWHERE = """\
Everything runs on one machine: the broker (tansu, embedded, in memory; for recovery, guarantee,
failover and scaling one Apache Kafka, in Java, on disk), the contender, the probe. A number
counts only if the final state was right: the worker's digest of its whole book, and each position
and cash amount of plain Faust, equal those of plain Python integers. Each part says when it was
measured and by which command, and can be measured anew by itself.
"""

HOW = {
    "fills": """\
All fills are on the topic beforehand (Avro, 8 partitions, keyed by account, an account's activity
falling with its rank). The clock runs from when the first fill is taken in hand until the last
one is committed, of a dict applied; "with start-up" it begins before the process is started, with
imports and the joining of the consumer group.

The worker's rate is of its catch-up at a start: it decodes, checks, books and acknowledges, but
decides nothing before it has caught up.

Plain Faust is an ordinary agent with one event a record: fastavro, a few checks, position and
cash by account and instrument, in a Faust table (`memory://` and its changelog on the broker) or
in a plain dict. It reads the first fortieth of the same fills from a topic of its own, as it
would need minutes for all; its rate is taken to be the same for more.
""",
    "peers": """\
Every contender does the same job on the same records, one after the other on one broker: consume
the fills in a group, decode Avro, check, keep quantity, cost and cash by account and instrument,
write a changelog, commit. The clock runs from the first fill taken in hand to the last commit
acknowledged. CPU is that of the contender's process between the two, all threads, and not the
broker's; memory is the peak of its resident set. A number counts only if the changelog, read back
from the broker (committed records only), holds the state of plain Python integers; of the worker
the whole book is compared. Who would need minutes reads the first eighth or fortieth of the same
fills. The worker does more: it also keeps the deposits and isolated margin, refuses repeated ids,
posts the other side of every fee. Commits: the worker's turn, the loop's batch of up to 10,000,
100 ms of Kafka Streams, 1 s of Quix Streams and Bytewax, 2.8 s of plain Faust. A worker reads
everything once before, uncounted, so that nobody pays for the broker's start. Kafka Streams has
one thread, a heap of up to 1 GiB, RocksDB and its record cache as they come; it compiles as it
runs, which short runs make much of and a million fills little. Bytewax keeps its offsets in its
snapshots.
""",
    "decisions": """\
Accounts have three long positions each in 200 instruments, and differ in leverage: a few break
while all prices fall by 2 %, the others would at drops of 5 to 50 %. The worker reads its book back
from its changelog, and an exchange fills every order at its limit. The clock runs from the moment a
tick is handed to its producer until a consumer of committed records has the margin call, or the
first order of the liquidation, that names it as its cause: of a liquidation the second tick below
maintenance. Rates rise step by step; a rate is kept up with where p99 is below 500 ms and the ticks
came at 95 % of it, and the first that is not ends the run. The quantiles are of the first step,
after half as long of the same that does not count: cold code of the broker, in Java, doubles the
tail of the first seconds. A run counts only if after every step exactly those accounts are
liquidated whose collateral says so. The plain loop is what one would write by hand:
confluent-kafka, fastavro, a dict of accounts by instrument, and on every tick the equity and the
margin of each account that holds it. It does less: no confirmation, no sizes of orders, no guards,
no changelog; with 1,000,000 accounts it does not catch up with the first ticks within two minutes
and is left out. Between steps all 200 prices are told again, twice or more, a second apart; the
worker conflates them, the loop may still be at work on them when its next step begins, and has them
in its tail. The broker is Apache Kafka where there is one, all on one machine; cores are those that
the contender used. The one worker has one partition; each more is one more transaction in
every turn, which broker and worker pay for, so the same is told for four. A host that keeps the
CPU for others shows in the tail at once: runs begin when it is calm, and are made until enough are,
with less than 2 % of the CPU time withheld during the first step, or twice as many; the calmest
count, whatever they measured.
""",
    "latency": """\
Every account holds 3 to 12 of 12 instruments, 200 ticks/s over them in turn fall by 2 % in 25 s,
and an exchange fills every order at its limit. The clock runs from the moment a tick is handed to
its producer (also its Kafka timestamp) until a consumer receives the orders that it caused:
`plimsoll-source` names the tick, here the second one below maintenance. Counted are the first
orders of each episode, CANCEL_ORDERS and the first REDUCE. The worker has one partition.
""",
    "cascade": """\
Price to liquidation while two fifths of the accounts break within one second, with books so thin
that orders must wait: a run counts only if in no second of event time an instrument's orders of
one side ask for more than the cap of the settings, but for one lot.
""",
    "memory": """\
Workers whose changelog, written by the worker's own code, holds accounts with three positions in
200 instruments and a balance each; the clock of "start to ready" runs from the start of the process
until it has the book and would decide. Then prices tick, the first ones so that every account is
evaluated. The resident set of the process is that at its peak, and that at the end of the ticks;
memory an account is the slope of the latter from the fewest accounts to the most. A run counts
only if the digest of the book at its end is that of the book that was written. Hashes of the ids of
recent records, which a worker keeps by partition and not by account, are not in it: up to 16 MB for
each topic of a partition.
""",
    "kernels": """\
The arrays are in memory and warm, rows ascend by bucket, results are checked first. A plain read
is numpy's sum of every column that the kernel reads or writes, by as many threads as the kernel
has, in the same run. Re-margin is the call that a worker makes for cross and isolated buckets by a
profile without strict prices; only that of all writes into the states of the call before. What a
tick touches is found by a look at the instrument of every position.
""",
    "sink": """\
Blocks of at most 50,000 records in memory, through every step of the sink but Kafka's: Avro
decoded, intent, insert, record of it; HTTP is the port of `plimsoll up`, opened for writing, in
front of chDB in the same process. The bare insert is clickhouse-connect's `insert` of the same
rows as columns, in the same run, into a table of the same kind, without a token; reading them
back is not counted. Values are made: amounts walk, times go on, 2,000 names repeat, arrays have
three elements.
""",
    "questions": """\
A run of `plimsoll up` on the embedded broker (a seeded crash, or that of `--history`) is repeated
for other accounts until there are 5,000, and at later times until there are enough margin states,
all tables in proportion, each then merged into one part. The questions of `docs/questions.sql` are
asked of chDB one after the other, with two threads, in process, and their answers read. Cold is the
first time, the engine's caches empty (not the system's). An answer that is empty, though that of
the run is not, fails the benchmark.
""",
    "recovery": """\
The changelog, written by the worker's own code, holds every account once, as after compaction
(two or three positions, one or two balances), and the ids of the fills, in 8 partitions. A new
process reads it plainly, consume(10000) to its end, the records thrown away, then takes all
partitions over: opens their journals, reads, checks, rebuilds. "Warm" has followed the changelog
before its clock starts. A run counts only if a checksum of whose balances and positions are where
equals that of the book that was written.
""",
    "guarantee": """\
The fills, on Apache Kafka, with `transactions` on and off, both on one set of topics; the clock
stops when the last commit is acknowledged. A commit is that of one partition's turn, its
changelog records and outputs, up to 8 at the same time; its time is that of the call.
""",
    "failover": """\
Two idle workers on Apache Kafka, 8 partitions; from the SIGKILL of one until the other holds all
partitions and decides for them.
""",
    "scaling": """\
On Apache Kafka. Workers that have joined and read the deposits are paused, a burst of fills is
produced, and the clock runs from when they go on until the last of them is applied. Then 1,000
fills a second of accounts that differ: from handing each to its producer until a consumer of
committed records sees its account on the changelog. The last worker takes all partitions over and
must have the whole book. By accounts and partitions: one worker, as for fills a second. CPU time
is that of the worker's process, or of the broker's, in user and system mode. A decision is that
of a cycle alone in a process, with the crowd of prices to decisions in its book: one on all
accounts, and one after all 200 prices have moved by 0.01 %, which looks at those that are near. A
transaction's CPU time is what more partitions cost, over the transactions that they add. The
model of a cluster is in [docs/scaling.md](../docs/scaling.md).
""",
}
