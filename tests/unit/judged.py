"""Made-up runs as the outputs get them: judged, and with hostile text where people or clusters write some."""

from functools import cache
from pathlib import Path
from typing import Any

from tests.golden.make_run import made_facts

from sealegs.judgement.facts import fault_story, intervals
from sealegs.judgement.fates import fates_of
from sealegs.judgement.verdict import Word, decide
from sealegs.report.reading import Reading

HOSTILE = "<b>&amp;'\"]]>\n::error title=x,y::%0A|`*_\\n \r\t\x00\x1b[31m\x85\u2028\ud800\ufffe }${{a}}"
FREE = {"scenario", "claim", "run_id", "name", "detail", "request_ids", "reasons", "target"}
# Of these, names are looked up or drawn by others: a phase's is not free text.
FIXED = {"phases"}
ENDS: dict[str, Word] = {
    "pass": "PASS",
    "fail-truncated": "FAIL",
    "invalid-not-landed": "INVALID",
    "invalid-baseline": "INVALID",
    "killed": "INVALID",
    "inconclusive-thin": "INCONCLUSIVE",
}


@cache
def reading(case: str) -> Reading:
    """A made-up run, read as the page reads it."""
    facts = made_facts(case)
    phases = intervals(facts)
    return Reading(
        run_dir=Path(case),
        facts=facts,
        fates=fates_of(facts),
        phases=phases,
        story=fault_story(facts),
        verdict=decide(facts).document,
    )


def document(case: str) -> dict[str, Any]:
    """The verdict of a made-up run."""
    return reading(case).verdict


def hostile(value: Any, *, free: bool = False) -> Any:  # noqa: ANN401  plain JSON
    """A verdict's document with hostile text after all text that is free."""
    if isinstance(value, dict):
        return {
            key: one if key in FIXED else hostile(one, free=key in FREE and not isinstance(one, dict))
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [hostile(one, free=free) for one in value]
    return value + HOSTILE if free and isinstance(value, str) else value
