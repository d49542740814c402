"""Whether the run itself went as it should: it finished, and its files can be read."""

from sealegs.judgement.facts import MARKS, Facts
from sealegs.judgement.validity.check import Check, none_of


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


def lacked(facts: Facts) -> bool:
    """Whether the run ended before it began, because the cluster lacks what its scenario needs."""
    return any(one["missing"] for one in facts.of_kind("needs"))


def needs_met(facts: Facts) -> Check:
    """Whatever the scenario needs of a cluster was looked for, and was there."""
    looked = {name for one in facts.of_kind("needs") for name in one["asked"]}
    unseen = [f"{need} (nobody looked for it)" for need in facts.scenario.needs if need not in looked]
    missing = [*(told for one in facts.of_kind("needs") for told in one["missing"]), *unseen]
    detail = f"missing: {', '.join(missing)}" if missing else f"there was {', '.join(facts.scenario.needs)}"
    return Check(name="needs-met", ok=not missing, value=len(missing), limit=0, detail=detail)


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
