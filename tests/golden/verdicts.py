"""Verdicts that were recorded, and what holds a new one against them."""

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator

from sealegs.judge import judge

SCHEMA = Path(__file__).parents[2] / "src" / "sealegs" / "judgement" / "verdict.schema.json"


@cache
def schema() -> Draft202012Validator:
    """What holds a document against the schema, which is one itself."""
    keys = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(keys)
    return Draft202012Validator(keys)


def judged_twice(run_dir: Path) -> bytes:
    """The bytes of a run's verdict, the same whenever it is judged."""
    judge(run_dir)
    first = (run_dir / "verdict.json").read_bytes()
    judge(run_dir)
    assert (run_dir / "verdict.json").read_bytes() == first
    return first
