"""The engine's clock held against the client's, by what a real engine and a real client stamped."""

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.golden.make_run import made_facts
from tests.load.drive import END_LIMIT_S, driving
from tests.load.test_engine import engine, truth_of

from sealegs.judgement.facts import Interval
from sealegs.judgement.fates import join
from sealegs.judgement.validity.clocks import OFFSET_S_MAX, offsets
from sealegs.tables import REQUESTS, TRUTH

pytestmark = pytest.mark.load

# What the logs round away, and the moment between two looks at two clocks.
ROUNDED_S = 0.0005


def test_on_one_machine_the_offset_is_none(tmp_path: Path) -> None:
    """Nothing lies between the bounds but the way there and back, and no offset does."""
    log, offsets_s = tmp_path / "engine.log", [0.1 * number for number in range(60)]
    with engine(log) as url, driving(tmp_path / "run", url, offsets_s=offsets_s) as drive:
        drive.load.wait(END_LIMIT_S)
    facts = dataclasses.replace(
        made_facts("pass"),
        schedule=pq.read_table(drive.run_dir / "schedule.parquet"),
        requests=pa.Table.from_pylist(list(drive.rows().values()), schema=REQUESTS),
        truth=pa.Table.from_pylist(list(truth_of(log).values()), schema=TRUTH),
        load_summary=drive.document("load-summary.json"),
    )
    phases = (
        Interval(name="baseline", start_s=0.0, end_s=drive.begin_s + 3),
        Interval(name="recovery", start_s=drive.begin_s + 3, end_s=None),
    )

    found = offsets(facts, join(facts.schedule, facts.requests, phases, lines=facts.truth["request_id"]))

    assert sorted(found) == ["after", "before"]
    for nodes in found.values():
        (one,) = nodes.values()
        assert one.low_s <= ROUNDED_S
        assert one.high_s >= -ROUNDED_S
        assert one.most_s <= OFFSET_S_MAX
