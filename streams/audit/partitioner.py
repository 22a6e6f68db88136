"""Java's murmur2, by which a key has its partition."""

SEED = 0x9747B28C
FACTOR = 0x5BD1E995
WORD = 0xFFFFFFFF


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key, as Kafka's Java client has it; of a slice `@fees:USDT#3` it is 3."""
    number = slice_number(key)
    if number is not None:
        return number
    return (_murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def slice_number(account: str) -> int | None:
    """The partition that a slice of a system account names; None of other accounts."""
    _, mark, number = account.rpartition("#")
    return int(number) if account.startswith("@") and mark and number.isdecimal() else None


def _murmur2(data: bytes) -> int:
    whole = len(data) & ~3
    state = SEED ^ len(data)
    for at in range(0, whole, 4):
        mixed = int.from_bytes(data[at : at + 4], "little") * FACTOR & WORD
        mixed = (mixed ^ mixed >> 24) * FACTOR & WORD
        state = (state * FACTOR & WORD) ^ mixed
    if len(data) > whole:
        state = (state ^ int.from_bytes(data[whole:], "little")) * FACTOR & WORD
    state = (state ^ state >> 13) * FACTOR & WORD
    return state ^ state >> 15
