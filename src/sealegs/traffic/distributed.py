"""Locust's master and workers in a run: how they learn that it is over, and the master's figures are true.

Locust knows no end but a time or somebody's word. So a worker that has sent its share tells the master, after
its last statistics and on the same connection, and stays; when all have, the master ends the test. One that
died says nothing: the runner misses its process and stops the others (`sealegs.traffic.load`).
"""

import gevent
from locust import runners
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner, WorkerRunner

DONE = "sealegs_share_done"
# Locust's master gives up workers that it has not heard for 3 s, and when those were all it stops the test.
# A busy machine keeps a process waiting so long: that is a late sender, which is measured, and no dead one.
MISSING_AFTER_S = 3600


def take_part(environment: Environment, *, processes: int) -> None:
    """Prepare this process's runner for the end: call it once, when Locust has made the runner."""
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        runners.HEARTBEAT_LIVENESS = MISSING_AFTER_S
        done: set[str] = set()

        def note(*, msg: Message, **_: object) -> None:
            done.add(msg.node_id)
            if len(done) == processes:
                runner.quit()

        # Of its own greenlet: quitting ends the one that hears messages.
        runner.register_message(DONE, note, concurrent=True)

        def stay(**_: object) -> None:
            # With it Locust would give a gone worker's users to those that are left, and hear no figures
            # meanwhile.
            runner._users_dispatcher = None  # noqa: SLF001

        environment.events.spawning_complete.add_listener(stay)  # type: ignore[no-untyped-call]
    elif runner is not None:

        def stop(**_: object) -> None:
            # What is cut now is to be in Locust's figures before it settles its exit code, and before its own
            # listener, called after this one, says goodbye to the master.
            runner.stop()
            if isinstance(runner, WorkerRunner):
                _report(runner)

        environment.events.quitting.add_listener(stop)  # type: ignore[no-untyped-call]


def _report(runner: WorkerRunner) -> None:
    """Tell the master what it has not been told yet."""
    report: dict[str, object] = {}
    runner.environment.events.report_to_master.fire(client_id=runner.client_id, data=report)  # type: ignore[no-untyped-call]
    runner.send_message("stats", report)


def leave(environment: Environment) -> None:
    """This process's share is done with: end the test, or tell the master who does."""
    runner = environment.runner
    if isinstance(runner, WorkerRunner):
        _report(runner)
        runner.send_message(DONE)
    else:
        quit_locust(environment)


def quit_locust(environment: Environment) -> None:
    """End this process's Locust. By a greenlet of its own: it kills the one of the user."""
    if environment.runner is not None:
        gevent.spawn(environment.runner.quit)
