"""The contest runs at a tiny size, and checks the final state of every contender."""

from pathlib import Path

import pytest

from benchmarks.peers.contenders import PEERS
from benchmarks.peers.contest import FAUST, OURS, OURS_PLAIN
from tests.benchmarks.tiny import page


@pytest.mark.embedded
def test_every_contender_that_is_here_is_checked(tmp_path: Path) -> None:
    text = page(tmp_path, "peers")
    for name in (OURS, OURS_PLAIN, FAUST, *(peer.name for peer in PEERS)):
        assert f"| {name} | " in text
    assert "| confluent-kafka loop, exactly once | -" not in text, "it needs nothing of its own"
    assert (tmp_path / "results.svg").read_text().startswith("<svg ")
