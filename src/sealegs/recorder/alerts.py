"""Which alerts fired during a run, as Prometheus tells when it is asked at the end."""

import math

from sealegs.errors import ClusterError
from sealegs.kube.api import Api
from sealegs.timeline import Timeline

PROMETHEUS = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1"
ANSWER_LIMIT_S = 5.0
# Prometheus' own names, beside which stand an alert's labels.
OWN = frozenset({"alertname", "alertstate"})


def note(api: Api, timeline: Timeline) -> None:
    """Note each alert that fired since run start, from when on, and which have a rule; or why nobody knows.

    A cluster without Prometheus is no error: only a claim about alerts asks for it.
    """
    window_s = math.ceil(timeline.now_s) + 1
    # How long ago and not when: the cluster's clock need not be ours.
    ages = f'time() - min_over_time(timestamp(ALERTS{{alertstate="firing"}})[{window_s}s:1s])'
    try:
        answer = api.call("GET", f"{PROMETHEUS}/query", query={"query": ages}, limit_s=ANSWER_LIMIT_S)
        asked_s = timeline.now_s
        rules = api.call("GET", f"{PROMETHEUS}/rules", query={"type": "alert"}, limit_s=ANSWER_LIMIT_S)
    except ClusterError as silent:
        timeline.note("alerts", fired=[], unknown=str(silent))
        return
    fired = [
        {
            "name": one["metric"]["alertname"],
            "labels": {name: value for name, value in one["metric"].items() if name not in OWN},
            "from_s": round(max(0.0, asked_s - float(one["value"][1])), 3),
        }
        for one in answer.body["data"]["result"]
    ]
    names = {one["name"] for group in rules.body["data"]["groups"] for one in group["rules"]}
    timeline.note(
        "alerts", fired=sorted(fired, key=lambda one: (one["from_s"], one["name"])), rules=sorted(names)
    )
