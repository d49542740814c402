"""The `arrivals` table of a scenario: its parameters belong to its kind, and what is wrong has a key."""

from pathlib import Path

import numpy as np
import pytest

from sealegs.scenario.arrivals import NEEDS, Arrivals, Times, draw, problems
from sealegs.scenario.toml_shape import Document, build

WHOLE = [
    Arrivals(kind="constant"),
    Arrivals(kind="poisson"),
    Arrivals(kind="gamma", cv=13.0),
    Arrivals(kind="weibull", cv=0.5),
    Arrivals(kind="on_off", on_s=17.0, off_s=43.0),
    Arrivals(kind="on_off", on_s=17.0, off_s=43.0, cv=2.2),
    Arrivals(kind="trace"),
    Arrivals(kind="ramp", to_rps=0.0),
    Arrivals(kind="step", to_rps=20.0, at_s=7.0),
    Arrivals(kind="steps", factors=(1.0, 0.0, 2.0), step_s=20.0),
    Arrivals(kind="day"),
    Arrivals(kind="day", day_s=70.0),
]


@pytest.mark.parametrize(
    ("arrivals", "found"),
    [
        *((one, []) for one in WHOLE),
        (Arrivals(kind="gamma"), [("cv", "arrivals 'gamma' need cv")]),
        (
            Arrivals(kind="on_off", off_s=1.0, at_s=1.0),
            [
                ("on_s", "arrivals 'on_off' need on_s"),
                ("at_s", "arrivals 'on_off' have no parameter 'at_s'; they take: on_s, off_s, cv"),
            ],
        ),
        (
            Arrivals(kind="poisson", cv=2.0),
            [("cv", "arrivals 'poisson' have no parameter 'cv'; they take: none")],
        ),
        (
            Arrivals(kind="step", at_s=50.0, to_rps=1.0),
            [("at_s", "the step at 50 s never comes: load ends at 50 s")],
        ),
        (
            Arrivals(kind="steps", factors=(1.0, 2.0, 1.0), step_s=25.0),
            [("step_s", "the step at 50 s never comes: load ends at 50 s")],
        ),
        *(
            (
                Arrivals(kind="steps", factors=factors, step_s=1.0),
                [("factors", "factors of steps: at least one that is not 0")],
            )
            for factors in ((), (0.0, 0.0))
        ),
    ],
    ids=str,
)
def test_problems_name_their_key(arrivals: Arrivals, found: list[tuple[str, str]]) -> None:
    """What is missing, what the kind does not take and what never comes; every one of them, or none."""
    assert problems(arrivals, duration_s=50.0) == found


@pytest.mark.parametrize("kind", [kind for kind, needed in NEEDS.items() if needed])
def test_a_missing_parameter_is_refused(kind: str) -> None:
    """Who draws without asking for problems first meets an error, not a default."""
    with pytest.raises(ValueError, match=f"arrivals '{kind}' need "):
        draw(Arrivals(kind=kind), 1.0, duration_s=1.0, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("trace", None),
        ("trace", np.array([3.0])),
        ("trace", np.array([3.0, 3.0])),
        ("day", None),
        ("day", np.zeros(24)),
        ("day", np.array([1.0, -1.0])),
    ],
)
def test_a_trace_or_a_day_of_no_use_is_refused(kind: str, given: Times | None) -> None:
    """No time axis and no rate can be made of these."""
    with pytest.raises(ValueError, match=f"arrivals '{kind}' need "):
        draw(
            Arrivals(kind=kind),
            1.0,
            duration_s=1.0,
            rng=np.random.default_rng(0),
            trace_s=given,
            day=given,
        )


def test_arrivals_are_a_table_of_a_scenario() -> None:
    """The dataclass is the schema: whole numbers become floats, and a range and a word are checked."""
    document = Document(Path("a.toml"), Path())

    assert build(Arrivals, {"kind": "gamma", "cv": 13}, document=document) == Arrivals(kind="gamma", cv=13.0)
    steps = {"kind": "steps", "factors": [1, 2.5], "step_s": 4}
    assert build(Arrivals, steps, document=document) == Arrivals(kind="steps", factors=(1.0, 2.5), step_s=4.0)
    assert build(Arrivals, {"kind": "bursty", "cv": 51}, document=document) is None
    assert build(Arrivals, {"kind": "steps", "factors": [1, -1]}, document=document) is None
    assert [problem.split(": ", 1)[1][:20] for problem in document.problems] == [
        "'kind' unknown 'burs",
        "'cv' must be at leas",
        "'factors[1]' must be",
    ]
