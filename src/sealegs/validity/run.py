"""Whether the run itself went as it should: it finished, and its files can be read."""

from sealegs.facts import MARKS, Facts
from sealegs.validity.check import Check, none_of


def finished(facts: Facts) -> Check:
    """Every phase took place, in order."""
    names = tuple(str(record["name"]) for record in facts.of_kind("phase"))
    last = names[-1] if names else "none"
    detail = "all phases took place, in order"
    if "end" not in names:
        detail = f"run did not finish: last phase {last}, last seen at {facts.seen_until_s:.1f} s"
    elif names != MARKS:
        detail = f"phases are out of order: {', '.join(names)}"
    return Check(name="run-finished", ok=names == MARKS, value=last, limit="end", detail=detail)


def evidence_whole(facts: Facts) -> Check:
    """Nothing in the folder is torn or absent."""
    return none_of("evidence-whole", facts.damage, good="every file could be read", bad="evidence is damaged")


def no_errors(facts: Facts) -> Check:
    """Nothing of the suite or of its environment went wrong."""
    errors = [f"{one.get('where')}: {one.get('message')}" for one in facts.of_kind("error")]
    return none_of("no-errors", errors, good="no errors of the suite", bad="errors of the suite itself")


def load_ended(facts: Facts) -> Check:
    """Every load process said goodbye."""
    ended = facts.load_summary is not None
    detail = "load process ended by itself" if ended else "load process died: it left no summary"
    return Check(
        name="load-ended", ok=ended, value="ended" if ended else "died", limit="ended", detail=detail
    )
