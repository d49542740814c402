"""One run from open to close. Evidence first: judgement reads the folder, not this module's memory."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from sealegs import evidence, experiment, identity, load_pods, needs, preflight, stack, stack_choice, tables
from sealegs.cluster import Cluster, at_gateway, docker
from sealegs.errors import ClusterError, MissingError
from sealegs.heal import require_nothing_left, undo_all
from sealegs.judge import judge
from sealegs.judgement.verdict import Verdict
from sealegs.knee_files import require_machine, resolved, write_copies
from sealegs.kube import lease
from sealegs.kube.api import Api, connect
from sealegs.load_pods.load import LoadPods
from sealegs.recorder import Recorder
from sealegs.scenario import Scenario, root_of
from sealegs.timeline import Timeline
from sealegs.traffic import capacity, load, schedule
from sealegs.traffic.load import LEAD_S, Load
from sealegs.waiting import TIMEOUTS, now_ns, wait_until

LOOK_EVERY_S = 0.05

Say = Callable[[str], None]
# Given a run's folder: watches it while it is recorded, and gives what tells people something more.
Watch = Callable[[Path], AbstractContextManager[Say]]


def unwatched(_: Path) -> AbstractContextManager[Say]:
    """A watch for runs that nobody looks at."""
    return nullcontext(lambda _: None)


def execute(scenario: Scenario, cluster: Cluster, *, door: str = "run", watch: Watch = unwatched) -> Verdict:
    """Test a scenario's claim on a cluster: the whole flow.

    Raises:
        ClusterError: nothing could be begun: the cluster has not opted in, or another run holds it. Whatever
            goes wrong later is in the evidence, and the verdict says so.
        ScenarioError: as `plan`.
    """
    with open_run(scenario, cluster, door=door, watch=watch) as run:
        run.baseline()
        run.inject() if scenario.experiment else run.hold()
        run.recover()
    return judge(run.run_dir)


def plan(scenario: Scenario, *, context: str | None = None) -> pa.Table:
    """What a run of the scenario would send, from the start of load; at the knee of that context, or any.

    Raises:
        ScenarioError: nothing of it fits the model, it is more than its processes can send in time, or what
            `preflight.ready` says.
    """
    scenario = preflight.ready(scenario, context=context)
    planned = schedule.make(scenario)
    capacity.require(planned, scenario.traffic, path=scenario.path)
    return planned


@contextmanager
def open_run(scenario: Scenario, cluster: Cluster, *, door: str, watch: Watch = unwatched) -> Iterator["Run"]:
    """A run with its identity on disk. At the end of the block it is closed, whatever happened in it.

    An error of the environment in the block ends the run early; it is noted in the evidence and not raised.

    Raises:
        ClusterError, ScenarioError: as `execute`.
    """
    plan(scenario, context=cluster.context)
    scenario = resolved(scenario, context=cluster.context)
    shape = stack_choice.shape_for(scenario)
    stack.require_opt_in(cluster, shape=shape)
    cluster = at_gateway(cluster, shape.gateway)
    started, zero_ns = datetime.now(UTC), now_ns()
    root = root_of(scenario.path)
    named = f"{scenario.name}-{scenario.stack_mutant}" if scenario.mutant_file else scenario.name
    run_id = evidence.run_id_of(named, started=started, seed=scenario.seed)
    lost: list[str] = []
    with (
        closing(connect(cluster.kubeconfig, context=cluster.context, shape=shape)) as api,
        lease.held(api, holder=run_id, on_lost=lost.append),
        ExitStack() as watching,
    ):
        require_nothing_left(root, context=cluster.context)
        document = identity.identify(
            scenario, cluster, api, run_id=run_id, started=started, zero_ns=zero_ns, root=root, door=door
        )
        run_dir = evidence.make_run_dir(root, run_id=run_id)
        evidence.write_json(run_dir / "run.json", document)
        write_copies(scenario, run_dir)
        timeline = Timeline(run_dir, zero_ns=zero_ns)
        say = watching.enter_context(watch(run_dir))
        run = Run(scenario, cluster, api, run_dir, document, timeline, say, lost)
        say(f"run {run_id}")
        try:
            yield run
        except (ClusterError, TimeoutError) as error:
            if cluster.owned and not isinstance(error, MissingError) and not docker.answers():
                run.note_error("Docker no longer answers, and the cluster with it: `sealegs cluster up`")
            run.note_failure(error)
        except KeyboardInterrupt:
            run.note_error("interrupted")
        except Exception as error:
            run.note_error(repr(error))
            raise
        finally:
            run.close()


@dataclass
class Run:
    """A run that is going on. Its parts are called in their order: baseline, inject or hold, recover."""

    scenario: Scenario
    cluster: Cluster
    api: Api
    run_dir: Path
    document: dict[str, Any]
    timeline: Timeline
    say: Say
    lost: list[str] = field(default_factory=list)
    load: Load | LoadPods | None = None
    load_s: float = 0.0
    recorder: Recorder | None = None
    phase: str = "opening"
    _parts: ExitStack = field(default_factory=ExitStack)

    @property
    def zero_ns(self) -> int:
        """The zero of the run's times on the monotonic clock."""
        return int(self.document["started_monotonic_ns"])

    def baseline(self) -> None:
        """The stack stands, load runs, and what is normal has been measured: the fault's phase begins."""
        scenario = self.scenario
        require_machine(scenario)
        # What a killed run left would be in the way of this one's stack and of its load.
        load_pods.clear(self.api)
        planted = f" with {scenario.stack_mutant} planted" if scenario.stack_mutant else ""
        self.say(f"applying the stack{planted}")
        overlay = stack_choice.overlay_for(scenario, self.api.shape)
        stands = stack.apply(
            self.cluster, overlay=overlay, mutant=scenario.stack_mutant, shape=self.api.shape
        )
        self.document = identity.with_stack(self.document, stands)
        evidence.write_json(self.run_dir / "run.json", self.document)
        needs.require(self.api, scenario.needs, timeline=self.timeline)
        self.recorder = self._parts.enter_context(
            Recorder(
                self.api,
                self.run_dir,
                timeline=self.timeline,
                zero_ns=self.zero_ns,
                namespace=self.api.shape.namespace,
                load_status=lambda: self.load.status() if self.load else None,
            )
        )
        self._start_load()
        phases = scenario.phases
        self._mark_at("warmup", self.load_s)
        self._mark_at("baseline", self.load_s + phases.warmup_s)
        self._mark_at("fault", self.load_s + phases.warmup_s + phases.baseline_s)

    def inject(self) -> None:
        """The experiment was played to its end: fault, hold, undo.

        Raises:
            TimeoutError: it took longer than the fault's phase may; `close` has its rollbacks played.
        """
        path = self.run_dir / "experiment.json"
        variables = {**self.api.shape.variables, **self.scenario.experiment_vars}
        played = experiment.Played(self.run_dir, path, variables=variables)
        self._parts.callback(played.stop)
        limit_s = self.scenario.phases.fault_s_max
        self._wait(lambda: played.ended, limit_s=limit_s, what="the experiment to end")

    def hold(self) -> None:
        """A fault's time passed without a fault."""
        phases = self.scenario.phases
        until_s = self.load_s + phases.warmup_s + phases.baseline_s + phases.fault_s_max
        self._wait(
            lambda: self.timeline.now_s >= until_s, limit_s=phases.fault_s_max + 1, what="the hold to pass"
        )

    def recover(self) -> None:
        """Load walked its schedule to the end and every answer came, or its deadline did."""
        if self.scenario.experiment:
            for failure in experiment.failures(self.run_dir):
                self.note_error(failure)
        self._mark_at("recovery", 0.0)
        left_s = self.load_s + self.scenario.phases.duration_s - self.timeline.now_s
        assert self.load is not None  # noqa: S101  recovery comes after the baseline
        self._wait(
            lambda: self.load is not None and not self.load.alive,
            limit_s=max(0.0, left_s) + self.scenario.traffic.request_s_max + TIMEOUTS.load_ended_s,
            what="load to end",
        )
        self.load.wait(TIMEOUTS.load_ended_s)
        self._mark_at("end", 0.0)

    def note_error(self, message: str) -> None:
        """Something of the suite or of its environment went wrong: the run cannot be trusted."""
        self.timeline.note("error", where=self.phase, message=message)
        self.say(f"error in {self.phase}: {message}")

    def note_failure(self, error: Exception) -> None:
        """Something ended the run early. What the cluster lacks stands in the evidence already."""
        self.say(str(error)) if isinstance(error, MissingError) else self.note_error(str(error))

    def close(self) -> None:
        """Load has ended, the fault is undone, the recorder has stopped, tables are closed.

        Each is tried, whatever became of those before it: what went wrong is an error in the evidence.
        """
        for end in (self._end_load, self._parts.close, self._undo):
            try:
                end()
            except (ClusterError, TimeoutError) as error:
                self.note_error(str(error))
            except KeyboardInterrupt:
                self.note_error("interrupted")
            except Exception as error:  # noqa: BLE001  a mistake of ours must not keep the fault on
                self.note_error(repr(error))
        for why in self.lost:
            self.note_error(why)
        self.timeline.close()
        tables.close_tables(self.run_dir)

    def _end_load(self) -> None:
        if self.load is not None:
            self.load.stop()

    def _undo(self) -> None:
        """What the experiment's rollbacks left is undone."""
        for told in undo_all(self.api, self.run_dir):
            self.note_error(f"left by the experiment: {told}")

    def _start_load(self) -> None:
        """Load processes are ready and have the schedule, which begins in a moment."""
        self.say("starting load")
        self.load = self._started()
        self._wait(
            lambda: self.load is not None and self.load.ready,
            limit_s=TIMEOUTS.load_ready_s,
            what="load processes to be ready",
        )
        self.load_s = self.timeline.now_s + LEAD_S
        planned = schedule.make(self.scenario, start_s=self.load_s)
        dropped = schedule.dropped_of(planned)
        self.say(f"{planned.num_rows} requests planned, {dropped} cannot fit and are left out")
        self.load.begin(planned)

    def _started(self) -> Load | LoadPods:
        """Load processes on their way to being ready: of this machine, or in pods that stand by now."""
        scenario, key = self.scenario, stack.api_key(self.cluster, shape=self.api.shape)
        if scenario.traffic.where == "client":
            return load.start(
                self.run_dir,
                scenario=scenario,
                gateway_url=self.cluster.gateway_url,
                api_key=key,
                started_monotonic_ns=self.zero_ns,
            )
        pods = load_pods.stand_up(
            self.cluster, self.api, self.run_dir, scenario=scenario, api_key=key, timeline=self.timeline
        )
        return pods.start(self.run_dir, scenario=scenario, started_monotonic_ns=self.zero_ns)

    def _mark_at(self, name: str, t_s: float) -> None:
        """A phase begins, at a moment or at once if that is past."""
        limit_s = max(0.0, t_s - self.timeline.now_s) + 1
        self._wait(lambda: self.timeline.now_s >= t_s, limit_s=limit_s, what=f"phase {name}")
        self.phase = name
        self.timeline.note("phase", name=name)

    def _wait(self, condition: Callable[[], bool], *, limit_s: float, what: str) -> None:
        """A condition holds; meanwhile the cluster is ours, and load and recorder live."""

        def look() -> bool:
            if self.lost:
                raise ClusterError(self.lost.pop())
            if self.load is not None:
                self.load.raise_if_dead()
            if self.recorder is not None:
                self.recorder.raise_if_broken()
            return condition()

        wait_until(look, ready=bool, limit_s=limit_s, every_s=LOOK_EVERY_S, what=what)
