"""What Prometheus scrapes and Grafana shows exists, and every query of a dashboard runs."""

import re
from pathlib import Path
from typing import Any

import pytest

from sinks.schema import create_tables
from sinks.store import Store
from streams.base.settings import Settings
from streams.run.sink_command import GROUP
from tests.deploy.compose import DASHBOARDS, SERVICES, panels, read, xml

EXPORTER_PORT = "9308"
MACROS = (
    (r"\$__timeFilter\(((?:[^()]|\([^()]*\))*)\)", r"(\1 >= now() - 60 AND \1 <= now())"),
    (r"\$__timeInterval\((\w+)\)", r"toStartOfInterval(toDateTime(\1), INTERVAL 10 second)"),
    (r"\$__to", "1760140800000"),
    (r"\$\{instrument:sqlstring\}", "'BTC-PERP','ETH-PERP'"),
)
"""As Grafana's ClickHouse plug-in writes them out."""


def written_out(sql: str) -> str:
    for macro, text in MACROS:
        sql = re.sub(macro, text, sql)
    return sql


def test_prometheus_scrapes_what_answers() -> None:
    config = read("deploy/prometheus/prometheus.yml")
    targets = {
        target.split(":")[0]: target.split(":")[1]
        for job in config["scrape_configs"]
        for one in job["static_configs"]
        for target in one["targets"]
    }
    assert set(targets) <= set(SERVICES)
    assert targets["clickhouse"] == xml("deploy/clickhouse/server.xml").findtext("prometheus/port")
    assert targets["kafka-exporter"] == EXPORTER_PORT
    assert [f"127.0.0.1:{targets['prometheus']}:{targets['prometheus']}"] == SERVICES["prometheus"][
        "ports"
    ]
    mounted = [one.split(":")[1] for one in SERVICES["prometheus"]["volumes"]]
    assert set(config["rule_files"]) <= set(mounted)
    assert f"--config.file={mounted[1]}" in SERVICES["prometheus"]["command"]


def test_alerts_name_groups_that_exist() -> None:
    rules = read("deploy/prometheus/rules.yml")["groups"][0]["rules"]
    named = {
        group for one in rules for group in re.findall(r'consumergroup="([\w-]+)"', one["expr"])
    }
    assert named == {Settings().app, GROUP}
    assert all(one["annotations"]["summary"] for one in rules)


def test_grafana_looks_where_history_and_metrics_are() -> None:
    sources = {
        one["uid"]: one for one in read("deploy/grafana/datasources/plimsoll.yml")["datasources"]
    }
    history = sources["plimsoll-history"]["jsonData"]
    port = history["port"]
    assert f"127.0.0.1:{port}:{port}" in SERVICES[history["host"]]["ports"]
    assert xml("deploy/clickhouse/users.xml").find(f"users/{history['username']}") is not None
    secret = sources["plimsoll-history"]["secureJsonData"]["password"]
    assert secret.removeprefix("$") in SERVICES["grafana"]["environment"]
    assert sources["plimsoll-metrics"]["url"] == "http://prometheus:9090"
    kind = sources["plimsoll-history"]["type"]
    assert SERVICES["grafana"]["environment"]["GF_PLUGINS_PREINSTALL"].split("@")[0] == kind
    for _, panel in panels():
        for one in (panel, *panel["targets"]):
            if "datasource" in one:
                assert sources[one["datasource"]["uid"]]["type"] == one["datasource"]["type"]


def test_dashboards_are_where_grafana_reads_them() -> None:
    options = read("deploy/grafana/providers/plimsoll.yml")["providers"][0]["options"]
    targets = [one.split(":")[1] for one in SERVICES["grafana"]["volumes"]]
    assert options["path"] in targets
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in {f"{options['path']}/{path.name}" for path in DASHBOARDS}


def test_panels_do_not_overlap() -> None:
    for board in {name for name, _ in panels()}:
        seen: set[tuple[int, int]] = set()
        for panel in (one for name, one in panels() if name == board):
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert at["x"] + at["w"] <= 24
            assert not seen & cells, f"{board}: {panel['title']}"
            seen |= cells


@pytest.mark.embedded
def test_every_query_runs_on_the_schema(tmp_path: Path) -> None:
    ran: list[str] = []
    with Store(f"chdb://{tmp_path / 'history'}") as store:
        create_tables(store)
        for board, panel in panels():
            for target in panel["targets"]:
                if "rawSql" in target:
                    run(store, target, f"{board}: {panel['title']}")
                    ran.append(panel["title"])
    assert len(ran) > 12


def run(store: Store, target: dict[str, Any], where: str) -> None:
    sql = written_out(target["rawSql"])
    assert "$" not in sql, f"{where}: {sql}"
    store.query(sql)
