"""The command on a folder in which something is wrong, for tests that damage one."""

import json
from pathlib import Path

from click.testing import CliRunner, Result
from tests.golden.case import PODS

from sealegs.cli import main

ENGINE_LOG = f"logs/{PODS[0]}.log"
LINES = ("timeline.jsonl", "samples.jsonl")
TABLES = ("schedule.parquet", "requests.parquet", "attempts.parquet")
HOSTILE = '<script>alert(1)</script>"\u2028&amp;'


def command(*arguments: str | Path) -> Result:
    """What the command line does with these arguments."""
    result = CliRunner().invoke(main, [str(one) for one in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert "Traceback" not in result.output
    return result


def refused(run_dir: Path, *, because: str = "") -> None:
    """Judging a folder ends with INVALID or with a problem of the files, and says why."""
    result = command("judge", run_dir)

    assert result.exit_code in {3, 4}, result.output
    assert because in " ".join(result.output.split())
    if result.exit_code == 3:
        verdict = json.loads((run_dir / "verdict.json").read_text())
        assert verdict["verdict"] == "INVALID"
        assert verdict["reasons"]
    else:
        assert result.output.startswith("sealegs: ")
        assert not (run_dir / "verdict.json").exists()
