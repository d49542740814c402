"""Whether a run's evidence can be trusted: each check has a value and a limit, and one that fails is INVALID.

A check that found nothing to look at fails. Evidence that was recorded before a check existed lacks what it
looks at, and fails it too: what nobody measured nobody can vouch for.
"""

from collections.abc import Sequence

from sealegs.judgement.facts import Facts, FaultStory
from sealegs.judgement.fates import Fates
from sealegs.judgement.slo import ObjectiveResult
from sealegs.judgement.validity import client, clocks, cluster, counts, fault, run, sending
from sealegs.judgement.validity.check import Check

__all__ = ("Check", "check_all")


def check_all(
    facts: Facts, fates: Fates, story: FaultStory | None, objectives: Sequence[ObjectiveResult]
) -> tuple[Check, ...]:
    """Every check, causes before effects: the first that fails is the likeliest reason for the others."""
    if run.lacked(facts):
        # Nothing was begun: there is nothing else to check.
        return (run.needs_met(facts),)
    about_fault = (fault.baseline_healthy(objectives), fault.landed(story, facts), fault.gone(story, facts))
    return (
        run.finished(facts),
        run.evidence_whole(facts),
        run.no_errors(facts),
        run.load_ended(facts),
        *((run.needs_met(facts),) if facts.scenario.needs else ()),
        cluster.stack_ready(facts),
        cluster.no_foreign_events(facts, story),
        *((cluster.load_apart(facts, story),) if facts.scenario.traffic.where == "cluster" else ()),
        *client.checks(facts),
        *(about_fault if facts.scenario.experiment else ()),
        *sending.checks(facts, fates),
        counts.planned_sent(fates),
        counts.reconcile(facts, fates),
        counts.engines_agree(facts, fates, story),
        *clocks.checks(facts, fates),
        cluster.samples_present(facts, story),
    )
