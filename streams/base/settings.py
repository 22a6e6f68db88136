"""Every setting of a worker in one table: name, default, unit and meaning."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a worker; each can be set by PLIMSOLL_<NAME> in the environment.

    Raises ValueError, naming the variable and its value, where a number is not one or is negative.
    """

    app: str = _setting("plimsoll", "name of the deployment: its consumer group")
    bootstrap: str = _setting("127.0.0.1:9092", "Kafka bootstrap addresses")
    partitions: int = _setting(8, "partitions of each account topic")
    instance: str = _setting("worker-0", "static member name: a restart keeps its partitions")
    web_port: int = _setting(6066, "port of Faust's own web server, one a worker")
    health_host: str = _setting("127.0.0.1", "address on which /livez and /readyz are served")
    health_port: int = _setting(0, "their port; 0: a free one, told in the status")
    session_timeout_s: int = _setting(10, "s without a heartbeat until a worker counts as dead")
    transactions: str = _setting("on", "on, or off for a broker that has none: then outputs repeat")
    standbys: int = _setting(0, "warm copies of each partition that other workers keep")
    min_replication: int = _setting(1, "replicas below which a topic is refused at the start")
    min_retention_h: int = _setting(0, "hours of retention below which a topic is refused; 0: any")
    rebuild: str = _setting(
        "no", "yes: where there is no changelog, read the inputs from the start"
    )
    cycle_ms: int = _setting(20, "ms from the beginning of one cycle to the next, at least")
    fetch_records: int = _setting(5_000, "largest block, records")
    profile: str = _setting("default", "margin rules: the name of a profile, or a file of one")
    stale_ms: int = _setting(15_000, "ms of event time after which a mark may not liquidate")
    deviation_ppm: int = _setting(100_000, "ppm between mark and index beyond which it may not")
    slow_deviation_ppm: int = _setting(500_000, "the same for its slow average; 0: not compared")
    slow_ms: int = _setting(300_000, "time constant of the slow average and of volatility, ms")
    slow_speed_ppm: int = _setting(2_000, "ppm a second by which the slow average moves at most")
    wide_ppm: int = _setting(100_000, "ppm between bid and ask beyond which it may not; 0: any")
    jump_sigma: int = _setting(10, "standard deviations beyond which a tick waits; 0: none waits")
    jump_ppm: int = _setting(50_000, "ppm of change up to which no tick waits")
    jump_ticks: int = _setting(3, "ticks in a row that confirm a jump where no other source does")
    dead_letter_limit: int = _setting(1_000, "dead letters in a row that stop a partition's worker")
    warning_health_ppm: int = _setting(1_500_000, "health (ppm) below which an account is warned")
    call_health_ppm: int = _setting(1_200_000, "health (ppm) below which margin is called")
    end_health_ppm: int = _setting(1_100_000, "health (ppm) that a liquidation restores")
    confirm_ticks: int = _setting(2, "decisions in a row below maintenance before the first order")
    call_ms: int = _setting(300_000, "ms of event time to answer a margin call")
    step_ms: int = _setting(1_000, "ms of event time to answer a liquidation order")
    max_steps: int = _setting(4, "liquidation orders before a takeover")
    fund_carry_ppm: int = _setting(
        1_000_000, "ppm of maintenance margin that an insurance fund must have to carry a position"
    )
    fund_window_ms: int = _setting(
        86_400_000, "ms of event time over which a fund's loss is capped"
    )
    fund_cap: int = _setting(0, "most that a fund may lose in it, whole units of its asset; 0: any")
    auction_ms: int = _setting(
        10_000, "ms for which a fund sells what it cannot carry; 0: it does not"
    )
    auction_sealed: str = _setting("no", "yes: bids are awarded at the close, the best first")
    auction_first: str = _setting("no", "yes: a fund sells at once all that it takes over")
    gather_ms: int = _setting(2_000, "ms to wait for all partitions' candidates for deleveraging")
    map_ms: int = _setting(15_000, "ms of event time between liquidation maps; 0: none are made")
    pace_window_ms: int = _setting(
        1_000, "ms of event time over which liquidation orders are paced"
    )
    pace_depth_ppm: int = _setting(
        250_000, "ppm of a side's observed depth that they ask for in it at most; 0: any"
    )
    penalty_ppm: int = _setting(
        5_000, "ppm of its value that a liquidation fill pays to the fund at most"
    )

    @staticmethod
    def read(environment: Mapping[str, str] | None = None, **given: Any) -> "Settings":
        """Defaults, then the environment, then what is `given` and not None."""
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for one in fields(Settings):
            variable = f"PLIMSOLL_{one.name.upper()}"
            if variable in environment:
                text = environment[variable]
                values[one.name] = _integer(variable, text) if one.type is int else text
        values.update({name: value for name, value in given.items() if value is not None})
        return Settings(**values)


def _integer(variable: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ValueError(f"{variable}={text!r} is not a whole number") from None
    if number < 0:
        raise ValueError(f"{variable}={text!r} must not be negative")
    return number
