"""A container's log, copied to a file while it is written, without gaps and without repeats."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from sealegs.errors import ClusterError
from sealegs.kube.api import Api, Stop
from sealegs.kube.objects import Pod
from sealegs.kube.reads import pod_is_there
from sealegs.waiting import every

# A log that says nothing for longer is asked for anew: that its connection still lives cannot be known.
SILENCE_S = 300.0
RETRY_S = 0.5


class LogCopy:
    """The log of one pod's container since a moment, on its way into a file."""

    def __init__(
        self,
        api: Api,
        pod: Pod,
        *,
        path: Path,
        since: str,
        kept: Callable[[bytes], bytes | None],
    ) -> None:
        """Copy into `path` what is written since `since`, an RFC 3339 time: of each line what is `kept`."""
        self._api = api
        self._pod = pod
        self._path = path
        self._since = since
        self._kept = kept
        self._last = ""

    def follow(self, stop: Stop) -> None:
        """Copy until the pod is gone or `stop` is set."""
        for _ in every(RETRY_S, until=stop.event):
            try:
                self._copy(self._lines(stop))
                if not pod_is_there(self._api, self._pod):
                    return
            except ClusterError:
                # The container has not begun, or the API server is away: both are asked again.
                continue

    def catch_up(self) -> None:
        """Copy what has been written up to now, and return. A pod that is gone has nothing more."""
        try:
            text = self._api.text(self._log, query=self._options())
        except ClusterError:
            return
        self._copy(iter(text.encode().splitlines()))

    @property
    def _log(self) -> str:
        return f"/api/v1/namespaces/{self._pod.namespace}/pods/{self._pod.name}/log"

    def _options(self) -> dict[str, str | int]:
        """What to ask for: timestamps tell which lines are copied already."""
        since = self._last or self._since
        return {"container": self._pod.container, "timestamps": "true", "sinceTime": since}

    def _lines(self, stop: Stop) -> Iterator[bytes]:
        query = {**self._options(), "follow": "true"}
        return self._api.stream(self._log, silence_s=SILENCE_S, stop=stop, query=query)

    def _copy(self, lines: Iterator[bytes]) -> None:
        with self._path.open("ab") as file:
            for line in lines:
                self._copy_line(line, file)

    def _copy_line(self, line: bytes, file: BinaryIO) -> None:
        stamp, _, text = line.partition(b" ")
        when = stamp.decode(errors="replace")
        if when > self._last:
            self._last = when
            if (kept := self._kept(text)) is not None:
                file.write(kept + b"\n")
                file.flush()
