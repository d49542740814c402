"""Watching a kind of object: no change twice, through disconnects and expired versions."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sealegs.errors import ClusterError
from sealegs.kube.api import Api, Query, ResourceVersionGoneError, Stop
from sealegs.waiting import TIMEOUTS, every, now_s

Change = Callable[[str, Mapping[str, Any]], None]

ALONE = nullcontext()
GONE = 410
RETRY_S = 1.0


def watch(
    api: Api,
    path: str,
    *,
    on_change: Change,
    stop: Stop,
    on_look: Callable[[], object] | None = None,
    at_once: AbstractContextManager[object] = ALONE,
) -> None:
    """Call `on_change` with ``added``, ``modified`` or ``deleted`` and the object, until `stop` is set.

    What is there at first counts as added; `on_look` is called whenever everything has been looked at. After
    an expired version or a broken connection everything is listed again: what has vanished in between counts
    as deleted, and of what has changed the last state is told. All that one list brings is told within one
    block of `at_once`: whoever looks in between would see what never was.

    Raises:
        ClusterError: the API server has not answered for ``Timeouts.api_silence_s``; at first, when there is
            nothing to go on with, for ``Timeouts.first_look_s / 2``.
    """
    known: dict[str, Mapping[str, Any]] = {}
    version = ""
    silent_since_s: float | None = None
    limit_s = min(TIMEOUTS.api_silence_s, TIMEOUTS.first_look_s / 2)
    for asked_s in every(RETRY_S, until=stop.event):
        try:
            if not version:
                version = _list(api, path, known=known, on_change=on_change, at_once=at_once)
                if on_look is not None:
                    on_look()
                silent_since_s, limit_s = None, TIMEOUTS.api_silence_s
            version = _follow(api, path, version=version, known=known, on_change=on_change, stop=stop)
            silent_since_s = None
        except ResourceVersionGoneError:
            version, silent_since_s = "", None
        except ClusterError:
            # How far the broken watch had come is not known: what it told already must not be told again.
            version, failed_s = "", now_s()
            # What took longer than a question may was a watch, and it stood until now.
            if silent_since_s is None or failed_s - asked_s > 2 * TIMEOUTS.api_answer_s:
                silent_since_s = failed_s
            if failed_s - silent_since_s > limit_s:
                raise


def _list(
    api: Api,
    path: str,
    *,
    known: dict[str, Mapping[str, Any]],
    on_change: Change,
    at_once: AbstractContextManager[object],
) -> str:
    """Report what is different from what is known; the version that the list is of."""
    answer = api.call("GET", path)
    there = {item["metadata"]["uid"]: item for item in answer.body["items"]}
    with at_once:
        for uid in known.keys() - there.keys():
            on_change("deleted", known[uid])
        for uid, item in there.items():
            if uid not in known:
                on_change("added", item)
            elif item["metadata"]["resourceVersion"] != known[uid]["metadata"]["resourceVersion"]:
                on_change("modified", item)
    known.clear()
    known.update(there)
    return str(answer.body["metadata"]["resourceVersion"])


def _follow(
    api: Api,
    path: str,
    *,
    version: str,
    known: dict[str, Mapping[str, Any]],
    on_change: Change,
    stop: Stop,
) -> str:
    """Report changes until the server ends the watch; the version to go on from."""
    options: Query = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": int(TIMEOUTS.watch_s),
    }
    for line in api.stream(path, silence_s=2 * TIMEOUTS.watch_s, stop=stop, query=options):
        change = json.loads(line)
        kind, item = change["type"].lower(), change["object"]
        if kind == "error":
            if item.get("code") == GONE:
                raise ResourceVersionGoneError(path)
            raise ClusterError(f"{api.where}: watch of {path} ended: {item.get('message')}")
        version = item["metadata"]["resourceVersion"]
        if kind == "bookmark":
            continue
        uid = item["metadata"]["uid"]
        if kind == "deleted":
            known.pop(uid, None)
        else:
            known[uid] = item
        on_change(kind, item)
    return version
