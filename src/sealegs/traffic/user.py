"""The Locust user that locustfiles make their own: subclass it and say how a request is put.

In a run (``sealegs run``) one user of each load process walks the schedule that lies in the run's folder.
Without one (``locust -f FILE --host URL``) Locust's users behave as its users expect: each asks, reads the
whole answer, waits, and asks again.
"""

import logging
import os
from pathlib import Path
from threading import Lock
from typing import ClassVar

from locust import User, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopTest, StopUser

from sealegs.scenario.workload import PROFILES
from sealegs.traffic import distributed
from sealegs.traffic.client.exchange import Call, Planned
from sealegs.traffic.closed_loop import Desk
from sealegs.traffic.order import API_KEY, RUN_DIR, no_target, read_order
from sealegs.traffic.process import die_with
from sealegs.traffic.replay import replay

LOG = logging.getLogger(__name__)


class StreamUser(User):
    """One kind of client. A locustfile has one subclass of this.

    Attributes:
        desk: the process's connections where there is no run, from the first request to the test's stop.
    """

    abstract = True
    desk: ClassVar[Desk | None] = None

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if RUN_DIR not in os.environ and (problem := no_target(self.host or "")):
            environment.process_exit_code = 1
            raise StopTest(f"--host {self.host!r}: {problem}")

    def call_of(self, planned: Planned, api_key: str) -> Call:
        """The call for one request: where to, with which headers, with which body."""
        raise NotImplementedError(f"{type(self).__name__} must say how a request is put: call_of")

    @task
    def ask(self) -> None:
        """Walk the run's schedule once, or ask one question and read the answer."""
        if RUN_DIR in os.environ:
            _replay_once(self)
        else:
            _ask_one(self)


def _name(user: StreamUser) -> str:
    """What Locust's tables call the requests: the class's name without ``User``."""
    return type(user).__name__.removesuffix("User").lower() or "user"


# Looking up the host lets other users run, and they need the same desk.
_making = Lock()


def _ask_one(user: StreamUser) -> None:
    """A request like one of the chosen profile's, and its answer."""
    assert user.host is not None  # noqa: S101  no user is made without
    with _making:
        desk = StreamUser.desk or Desk(user.host, fire=user.environment.events.request.fire)
        StreamUser.desk = desk
    told = vars(user.environment.parsed_options) if user.environment.parsed_options else {}
    planned = desk.draw(told.get("traffic_profile") or "chat")
    call = user.call_of(planned, told.get("api_key") or os.environ.get(API_KEY, ""))
    desk.ask(planned, call, name=_name(user))


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _close_desk(**_: object) -> None:
    """The next test may be of another host."""
    if StreamUser.desk is not None:
        StreamUser.desk.close()
        StreamUser.desk = None


# Locust starts users anew on the processes that are left when one dies, or was thought to have; a share is
# sent once.
_walked: set[Path] = set()


def _replay_once(user: StreamUser) -> None:
    """Send this process's share of the run's schedule, then say that it is done."""
    run_dir = Path(os.environ[RUN_DIR])
    if run_dir in _walked:
        raise StopUser
    _walked.add(run_dir)
    environment = user.environment
    # A mistake in here must be read, and end the process; by default Locust would run the task again.
    environment.catch_exceptions = False
    environment.events.user_error.add_listener(_log_failure)
    end = distributed.quit_locust
    try:
        order = read_order(run_dir)
        fire = environment.events.request.fire
        replay(run_dir, order, call_of=user.call_of, fire=fire, name=_name(user))
        end = distributed.leave
    finally:
        end(environment)
    raise StopUser


def _log_failure(exception: BaseException, **_: object) -> None:
    """What ended the user, in the log."""
    LOG.error("load failed", exc_info=exception)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _begin(parser: LocustArgumentParser, **_: object) -> None:
    """The first word that Locust lets a locustfile have."""
    if RUN_DIR in os.environ:
        die_with(read_order(Path(os.environ[RUN_DIR])).runner_pid)
        # Locust's settings in somebody's home are not the run's. Locust itself turns them off in this way.
        parser._default_config_files = []  # noqa: SLF001
        return
    parser.add_argument(
        "--traffic-profile",
        choices=PROFILES,
        default="chat",
        help="Whose prompt and answer lengths are asked for: a profile of sealegs",
    )
    # Not by env_var: the web page, which anybody in the network may read, shows what an option holds.
    parser.add_argument(
        "--api-key",
        default="",
        is_secret=True,
        help=f"The stack's API key; better in the environment, as {API_KEY}, where no page shows it",
    )


@events.init.add_listener  # type: ignore[untyped-decorator]
def _take_part(environment: Environment, **_: object) -> None:
    """In a run, Locust ends when the schedule does."""
    if RUN_DIR in os.environ:
        distributed.take_part(environment, processes=read_order(Path(os.environ[RUN_DIR])).processes)
