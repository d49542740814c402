"""Load in the cluster as the runner sees it: what `sealegs.traffic.load` is for processes of this machine."""

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from sealegs.errors import ClusterError
from sealegs.evidence import mark_undone, read_json, write_json
from sealegs.kube import exec as kube_exec
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.load_pods import clocks
from sealegs.load_pods.clocks import Offset
from sealegs.load_pods.feed import Feed
from sealegs.load_pods.objects import PROGRAM
from sealegs.load_pods.presence import clear
from sealegs.scenario import Scenario
from sealegs.tables import TABLES
from sealegs.traffic.load import Load, following, leading
from sealegs.traffic.order import ORDER, SCHEDULE, file_of, order_of, write_order
from sealegs.traffic.pod import HOME
from sealegs.waiting import TIMEOUTS

if TYPE_CHECKING:
    from subprocess import Popen

LOCUST = ("python3", "-m", "locust", "-f")
FILES = "locustfiles"
MASTER_PORT = "5557"
# A pod's first process: Locust's parent there.
KEEPER_PID = 1
AT_ONCE = 8


@dataclass(frozen=True)
class Standing:
    """Load pods that run and wait for their order, Locust's master first, with their clocks' offsets."""

    api: Api
    run_dir: Path
    feeds: tuple[Feed, ...]
    offsets: tuple[Offset, ...]
    undo_id: str

    def start(self, run_dir: Path, *, scenario: Scenario, started_monotonic_ns: int) -> "LoadPods":
        """Have them get ready to send a schedule, as `sealegs.traffic.load.start` does here.

        Raises:
            ClusterError: a pod could not be told.
        """
        order = order_of(
            scenario.traffic,
            gateway_url=self.api.shape.gateway.url_inside,
            started_monotonic_ns=started_monotonic_ns,
            processes=scenario.traffic.processes,
            runner_pid=KEEPER_PID,
        )
        write_order(run_dir, order)
        locustfile = scenario.traffic.locustfile.resolve()
        # Its neighbours come along: Locust lets a locustfile import them.
        files = {f"{FILES}/{one.name}": one.read_bytes() for one in locustfile.parent.glob("*.py")}
        for name in TABLES:
            # Evidence that something never happened is an empty file, and pods tell only what did.
            (run_dir / f"{name}.jsonl").touch()
        master, *workers = self.feeds
        leader = reads.pod_ip(self.api, master.pod)

        def tell(feed: Feed, offset: Offset) -> None:
            mine = dataclasses.replace(order, started_monotonic_ns=started_monotonic_ns + offset.offset_ns)
            packed = _packed(files | {ORDER: json.dumps(dataclasses.asdict(mine)).encode()})
            options = leading(len(workers), MASTER_PORT) if feed is master else following(leader, MASTER_PORT)
            _take(self.api, feed, packed, (*LOCUST, str(HOME / FILES / locustfile.name), *options))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(tell, self.feeds, self.offsets))
        # A feed has what `Load` asks of a process.
        children = cast("tuple[Popen[bytes], ...]", tuple(workers))
        return LoadPods(self, Load(run_dir.resolve(), children, cast("Popen[bytes]", master)))


@dataclass
class LoadPods:
    """Load pods at work on a run's schedule. They stay until `stop` removes them."""

    standing: Standing
    load: Load
    _summed_up: bool = field(default=False, init=False)

    @property
    def ready(self) -> bool:
        """Whether all of them wait for the schedule."""
        return self.load.ready

    def begin(self, planned: pa.Table) -> None:
        """Have a schedule sent, as `sealegs.traffic.load.Load.begin`.

        Raises:
            ClusterError: a pod did not take it.
        """
        self.load.begin(planned)
        packed = _packed({SCHEDULE: (self.load.run_dir / SCHEDULE).read_bytes()})
        _, *workers = self.standing.feeds
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda feed: _take(self.standing.api, feed, packed, ()), workers))

    @property
    def alive(self) -> bool:
        """Whether Locust still runs in any of them."""
        return self.load.alive

    def status(self) -> dict[str, Any] | None:
        """What they last said, taken together. None before all have said something."""
        return self.load.status()

    def raise_if_dead(self) -> None:
        """Raise ClusterError when a pod was lost, or its Locust ended before its time; names pod and node."""
        for feed in self.standing.feeds:
            if feed.lost:
                raise ClusterError(f"{feed.lost}; what it had told is kept, of the rest nothing is known")
        try:
            self.load.raise_if_dead()
        except ClusterError as died:
            ended = [feed.where for feed in self.standing.feeds if feed.returncode not in {None, 0}]
            raise ClusterError(f"{', '.join(ended)}: {died}") from died

    def wait(self, timeout_s: float) -> None:
        """Return when every pod has sent its share and heard every answer, and its evidence is here.

        Raises:
            ClusterError: a pod or its Locust died. The others go on: `stop` them.
            TimeoutError: `timeout_s` passed; says what load was last seen doing.
        """
        # Who died is told below, by the pod.
        with suppress(ClusterError):
            self.load.wait(timeout_s)
        self.raise_if_dead()
        self._sum_up()

    def stop(self) -> None:
        """End load now, as `sealegs.traffic.load.Load.stop`, and remove the pods. Safe to repeat."""
        if not self._summed_up:
            self.load.stop()
            self._sum_up()
        for feed in self.standing.feeds:
            feed.close()
        clear(self.standing.api)
        mark_undone(self.standing.run_dir, self.standing.undo_id)

    def _sum_up(self) -> None:
        """The summary, if load left one, says where the pods ran and what is known of their clocks."""
        path = self.standing.run_dir / file_of("summary", worker=0, processes=1)
        summary = read_json(path)
        if summary is not None:
            write_json(path, summary | {"pods": list(self._told())})
        self._summed_up = True

    def _told(self) -> Iterator[dict[str, Any]]:
        """Each pod, where it ran, and what is known of its clock; one that cannot be asked has no drift."""
        standing = self.standing
        for feed, before in zip(standing.feeds, standing.offsets, strict=True):
            try:
                after = clocks.measure(standing.api, feed.pod)
            except ClusterError:
                after = None
            known = {"name": feed.pod.name, "node": feed.pod.node, **before.told()}
            yield known | {"clock_drift_s": None if after is None else after.since_s(before)}


def _packed(files: Mapping[str, bytes]) -> bytes:
    """Files as a pod takes them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _take(api: Api, feed: Feed, archive: bytes, argv: Sequence[str]) -> None:
    """Have a pod take files, and start Locust if a command is given. ClusterError when it did not."""
    words = [*PROGRAM, "take", str(len(archive)), *argv]
    pod = feed.pod
    with kube_exec.running(
        api, namespace=pod.namespace, pod=pod.name, container=pod.container, argv=words
    ) as session:
        session.send(archive)
        if session.receive(limit_s=TIMEOUTS.api_answer_s) is not None:
            raise ClusterError(
                f"{feed.where} did not take what it was sent within {TIMEOUTS.api_answer_s:.0f} s"
            )
