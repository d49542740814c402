"""Goodput: how many requests a second are good by every limit at once (Zhong et al., DistServe, OSDI 2024).

What is good is what a scenario's objectives ask of its baseline: of undisturbed traffic.
"""

from collections.abc import Iterable

import numpy as np

from sealegs.judgement.fates import Fates, Flags
from sealegs.judgement.slo import INDICATORS
from sealegs.scenario.claim import Objective


def of_baseline(objectives: Iterable[Objective]) -> tuple[Objective, ...]:
    """Objectives of the baseline."""
    return tuple(one for one in objectives if one.phase == "baseline")


def good(fates: Fates, objectives: Iterable[Objective]) -> Flags:
    """Which requests were answered whole and right, within the limits of all objectives of the baseline."""
    found = fates.ok
    for one in of_baseline(objectives):
        found = found & INDICATORS[one.sli](fates, np.inf if one.limit_s is None else one.limit_s)
    return found
