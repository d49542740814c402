"""How much of the traffic the engines got that the fault was aimed at."""

import numpy as np

from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound


def target_share(situation: Situation, _bound: Bound) -> Measured:
    """The fault's pods' share of the requests that were sent while it was on, from landed to undone.

    Only those count whose engine is known, by the name on its answer.
    """
    fates, story = situation.fates, situation.story
    if story is None or story.landed_s is None or not story.pods:
        return Measured(value=None, detail="no fault landed in pods")
    until_s = story.undone_s if story.undone_s is not None else np.inf
    sent = (fates.sent_s >= story.landed_s) & (fates.sent_s < until_s) & (fates.pod != "")
    if not sent.any():
        return Measured(value=None, detail="no request that was sent while the fault was on was answered")
    on_target = sent & np.isin(fates.pod, list(story.pods))
    count, total = int(on_target.sum()), int(sent.sum())
    told = f"of {total} requests sent while the fault was on {count} went to {', '.join(sorted(story.pods))}"
    return Measured(value=count / total, detail=told, request_ids=fates.ids(on_target))
