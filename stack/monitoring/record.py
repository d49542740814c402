"""What Prometheus saw of a run, as input series of a promtool test: `record.py --start T --end T SELECTOR…`.

Alerts are then tried on what a fault really looks like. The cluster is the one that sealegs made.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from sealegs.cluster import ask, connect

PROXY = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query_range"
ANSWER_LIMIT_S = 60.0
GONE = None
# promtool takes `NaNx3` for a name.
NOT_REPEATED = frozenset({"NaN", "+Inf", "-Inf"})


def main() -> None:
    """Print the series of each selector as one mapping in JSON, which is YAML."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=float, required=True, help="seconds since 1970")
    parser.add_argument("--end", type=float, required=True, help="seconds since 1970")
    parser.add_argument("--step", type=int, default=5, help="seconds between samples")
    parser.add_argument(
        "selectors", nargs="+", help='what to record, such as up or kube_pod_status_phase{phase="Pending"}'
    )
    asked = parser.parse_args()
    cluster = connect()
    found = []
    for selector in asked.selectors:
        query = urlencode({"query": selector, "start": asked.start, "end": asked.end, "step": asked.step})
        answer = json.loads(ask(cluster, "get", "--raw", f"{PROXY}?{query}", limit_s=ANSWER_LIMIT_S))
        found += input_series(
            answer["data"]["result"], start_s=asked.start, end_s=asked.end, step_s=asked.step
        )
    if not found:
        sys.exit(f"nothing of {', '.join(asked.selectors)} between {asked.start} and {asked.end}")
    json.dump({"interval": f"{asked.step}s", "input_series": found}, sys.stdout, indent=2)


def input_series(
    matrix: Sequence[Mapping[str, Any]], *, start_s: float, end_s: float, step_s: int
) -> list[dict[str, str]]:
    """Series of an answer to query_range → series of a promtool test that begins at ``start_s``."""
    count = math.floor((end_s - start_s) / step_s) + 1
    found = []
    for one in sorted(matrix, key=lambda one: sorted(one["metric"].items())):
        there = {round((at_s - start_s) / step_s): value for at_s, value in one["values"]}
        samples = [there.get(index, GONE) for index in range(count)]
        found.append({"series": _named(one["metric"]), "values": " ".join(_words(samples))})
    return found


def _named(labels: Mapping[str, str]) -> str:
    quoted = [f"{name}={json.dumps(value)}" for name, value in sorted(labels.items()) if name != "__name__"]
    return f"{labels['__name__']}{{{','.join(quoted)}}}"


def _words(samples: Sequence[str | None]) -> Iterator[str]:
    """Samples in promtool's notation, in which ``2x3`` is a 2 and three more of it."""
    known = False
    for value, group in groupby(samples):
        count = len(list(group))
        if value in NOT_REPEATED:
            yield from [value] * count
        elif value is not GONE:
            yield f"{value}x{count - 1}" if count > 1 else value
        elif known:
            # Without the mark of its end a series would be looked back at for five minutes.
            yield "stale"
            if count > 1:
                yield f"_x{count - 1}"
        else:
            yield f"_x{count}"
        known = value is not GONE


if __name__ == "__main__":
    main()
