"""`sealegs capacity` as a person types it: a knee of the real stack, and a scenario at a share of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sealegs.cluster import Cluster
from sealegs.knee_files import CAPACITY, resolved
from sealegs.scenario import load_scenario
from sealegs.tables import REQUESTS, read_table

pytestmark = pytest.mark.proof

ROOT = Path(__file__).parents[2]
SEALEGS = Path(sys.executable).with_name("sealegs")
LIMIT_S = 420.0
RATE = "rate_rps = 16"
FOUND, AT_LEAST = 0, 2


def test_a_knee_is_found_and_runs_take_a_share_of_it(cluster: Cluster, tmp_path: Path) -> None:
    """It lies below each rate that broke and above none that held; every request of the search is on disk."""
    assert cluster.owned
    for name in ("experiments", "locustfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    path = tmp_path / "scenarios" / "overload.toml"
    path.parent.mkdir()
    text = (ROOT / "scenarios" / path.name).read_text()
    path.write_text(text)

    ended = subprocess.run(
        [SEALEGS, "capacity", path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode in {FOUND, AT_LEAST}, ended.stdout + ended.stderr
    (result,) = (tmp_path / CAPACITY).glob("*.json")
    found = json.loads(result.read_text())
    knee_rps, steps = found["knee"]["rate_rps"], found["steps"]
    folders = sorted(result.with_suffix("").iterdir())
    rows = [read_table(folder, "requests", REQUESTS)[0].num_rows for folder in folders]
    assert all(step["rate_rps"] <= knee_rps for step in steps if step["word"] == "holds")
    assert all(step["rate_rps"] > knee_rps for step in steps if step["word"] != "holds")
    assert len(rows) == len(steps)
    assert all(count >= step["due"] > 0 for count, step in zip(rows, steps, strict=True))

    path.write_text(text.replace(RATE, "knee_share = 0.5"))
    assert resolved(load_scenario(path)).traffic.rate_rps == pytest.approx(knee_rps / 2, abs=0.001)
