"""What a bound may be about. A measure says one number of a run and how it came about, or None and why not.

Each is a pure function of the evidence. None is for what was not seen: a number that stands for "nothing
happened" would make a pass of no data.
"""

from collections.abc import Callable, Mapping
from functools import partial

from sealegs.judgement.ladder import STEPS
from sealegs.judgement.measures import (
    alerts,
    autoscalers,
    canary,
    durations,
    engines,
    mesh,
    moments,
    overload,
    replicas,
    scaling,
    streams,
)
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound

Measure = Callable[[Situation, Bound], Measured]

MEASURES: Mapping[str, Measure] = {
    "ready-min": replicas.ready_min,
    "restarts": replicas.restarts_seen,
    "goodput-rps": overload.goodput_rps,
    "refusal-s-p99": overload.refusal_s_p99,
    "failed-otherwise": overload.failed_otherwise,
    "normal-again-s": overload.normal_again_s,
    "ejected-max": mesh.ejected_max,
    "errors-until-ejected": mesh.errors_until_ejected,
    "errors-until-ejected-min": mesh.errors_until_ejected_min,
    "ejected-s": mesh.ejected_s,
    "share-while-ejected": mesh.share_while_ejected,
    "overflow": mesh.overflow,
    "attempts-max": mesh.attempts_max,
    "lasted-s-max": durations.lasted_s_max,
    "answered-s-max": durations.answered_s_max,
    "timeout-s-min": durations.timeout_s_min,
    "silent-s-max": durations.silent_s_max,
    "longest-drained-stream-s": streams.longest_drained_s,
    "lost-beyond-target": streams.lost_beyond_target,
    "unharmed-after-s": streams.unharmed_after_s,
    "landed-s": moments.landed_s,
    "ready-again-s": moments.ready_again_s,
    "target-gone-s": moments.target_gone_s,
    "evictions-refused": moments.evictions_refused,
    "target-share": engines.target_share,
    "reload-s": moments.reload_s,
    "autoscaler-moved": autoscalers.moved,
    "autoscaler-blind-s": autoscalers.blind_s,
    "autoscaler-wanted-more-s": autoscalers.wanted_more_s,
    "autoscaler-flaps": autoscalers.flaps,
    **{f"new-pod-{step}-s": partial(scaling.new_pod_s, step=step) for step in STEPS},
    "new-pod-served-s": scaling.new_pod_served_s,
    "unscheduled-s-max": scaling.unscheduled_s_max,
    "pods-left": scaling.pods_left,
    "leaving-max": scaling.leaving_max,
    "lost-on-leaving": scaling.lost_on_leaving,
    "alert-after-s": alerts.alert_after_s,
    "weight-p-value": canary.weight_p_value,
    "after-rollback": canary.after_rollback,
    "cut-by-rollback": canary.cut_by_rollback,
    "unserved": canary.unserved,
}
