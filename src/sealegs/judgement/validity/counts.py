"""Whether the counts agree: every planned request is accounted for, by the client and by the engines."""

from sealegs.judgement.facts import Facts, FaultStory
from sealegs.judgement.fates import HOLE, Fates
from sealegs.judgement.reconcile import confirmed_by_engines, disagreements
from sealegs.judgement.validity.check import Check, none_of

# An engine's last lines can die with its pod; more than this is a lost log.
UNCONFIRMED_SHARE_MAX = 0.005


def planned_sent(fates: Fates) -> Check:
    """Every planned request has a row and a phase, and before the fault every one was sent."""
    early = fates.within("warmup", "baseline")
    found = {
        "left no row": fates.ended(HOLE),
        "were held back by the cap before the fault": fates.ended("cap_refused") & early,
        "were never sent before the fault": fates.ended("never_sent") & early,
        "belong to no phase": fates.within(""),
    }
    planned = len(fates.request_id)
    wrong = [f"{int(flags.sum()):,} {what}" for what, flags in found.items() if flags.any()]
    return none_of(
        "planned-sent",
        wrong if planned else ["nothing was planned"],
        good=f"all {planned:,} planned requests are accounted for",
        bad=f"of {planned:,} planned requests some are not accounted for",
    )


def reconcile(facts: Facts, fates: Fates) -> Check:
    """The client's own counts are those of its rows."""
    return none_of(
        "counts-reconcile",
        disagreements(facts, fates),
        good="the client's counts and its rows agree",
        bad="counts do not reconcile",
    )


def engines_agree(facts: Facts, fates: Fates, story: FaultStory | None) -> Check:
    """What the client calls ok an engine finished, with as many tokens, by the engine's own log.

    Answers of the last moments of an engine that the fault killed count apart: their lines died with it.
    """
    found = confirmed_by_engines(facts, fates, story)
    share = len(found.unconfirmed) / found.answered if found.answered else 1.0
    ok = not found.different and share <= UNCONFIRMED_SHARE_MAX
    confirmed = found.answered - len(found.unconfirmed) - found.lost
    detail = f"engines' logs confirm {confirmed:,} of {found.answered:,} answers"
    if found.lost:
        detail += f", of {found.lost:,} the line died with its engine"
    if not ok:
        cited = ", ".join((*found.different, *found.unconfirmed)[:3])
        detail = f"client and engines disagree: {detail}, {len(found.different)} differ in tokens: {cited}"
    return Check(
        name="engines-agree", ok=ok, value=round(share, 6), limit=UNCONFIRMED_SHARE_MAX, detail=detail
    )
