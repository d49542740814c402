"""The dispersion test spares Poisson traffic and finds what is not; the rate error counts what is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealegs.judgement.dispersion import BINS_MIN, EXPECTED_MIN, dispersion, rate_error
from sealegs.scenario.arrivals import Arrivals, Times, draw

P_MIN = 0.001
TOO_FEW = BINS_MIN * EXPECTED_MIN - 1


def p_of(arrivals: Arrivals, rng: np.random.Generator, *, rate_rps: float, duration_s: float) -> float:
    """The p of one load; 1 where there is too little of it."""
    times_s = draw(arrivals, rate_rps, duration_s=duration_s, rng=rng)
    found = dispersion(times_s, start_s=0.0, end_s=duration_s)
    return 1.0 if found is None else found.p


@pytest.mark.parametrize(("rate_rps", "duration_s"), [(2.0, 60.0), (5.0, 120.0), (20.0, 300.0)])
def test_poisson_is_rarely_rejected(rate_rps: float, duration_s: float) -> None:
    """Of 2,000 Poisson loads about 2 stray to p 0.001, at most 5; p is uniform: 5 % of them below 0.05."""
    poisson = Arrivals(kind="poisson")
    rng = np.random.default_rng(5)
    p = np.array([p_of(poisson, rng, rate_rps=rate_rps, duration_s=duration_s) for _ in range(2_000)])

    assert np.sum(p <= P_MIN) <= 5
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(p) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    "arrivals",
    [
        Arrivals(kind="constant"),
        Arrivals(kind="gamma", cv=0.5),
        Arrivals(kind="gamma", cv=2.0),
        Arrivals(kind="weibull", cv=2.0),
        Arrivals(kind="on_off", on_s=5.0, off_s=5.0),
        Arrivals(kind="step", to_rps=30.0, at_s=60.0),
    ],
    ids=lambda one: one.kind,
)
def test_what_is_not_poisson_is_found(arrivals: Arrivals) -> None:
    """Two minutes at 10 a second tell each of these from a Poisson process, every time of 200."""
    rng = np.random.default_rng(6)
    p = [p_of(arrivals, rng, rate_rps=10.0, duration_s=120.0) for _ in range(200)]

    assert max(p) <= P_MIN


def test_known_counts_have_their_numbers() -> None:
    """Bins of 2 and 8 in turn: variance 10 over mean 5 is 2; chi-squared(9) of 18 leaves 0.0352 above."""
    middles_s = np.arange(10) + 0.5
    found = dispersion(np.repeat(middles_s, [2, 8] * 5), start_s=0.0, end_s=10.0)

    assert found is not None
    assert (found.n, found.bins) == (50, 10)
    assert found.index == pytest.approx(2.0)
    assert found.p == pytest.approx(2 * 0.03517, rel=1e-3)


@pytest.mark.parametrize(("n", "tells"), [(0, False), (TOO_FEW, False), (TOO_FEW + 1, True)])
def test_too_few_tell_nothing(n: int, *, tells: bool) -> None:
    """Only what lies in the window counts."""
    inside_s = 100.0 + np.linspace(0.0, 59.0, n)
    outside_s = np.concatenate([np.linspace(0.0, 99.0, 500), inside_s, np.linspace(160.0, 300.0, 500)])

    assert (dispersion(outside_s, start_s=100.0, end_s=160.0) is not None) == tells


@given(st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=50, max_size=400))
def test_p_is_a_probability_and_every_bin_expects_enough(shares: list[float]) -> None:
    """Whatever the times: 0 <= p <= 1, and at least 5 of them to a bin."""
    found = dispersion(np.array(shares) * 60.0, start_s=0.0, end_s=60.0)

    assert found is not None
    assert 0.0 <= found.p <= 1.0
    assert found.n == len(shares)
    assert found.n / found.bins >= EXPECTED_MIN


@pytest.mark.parametrize(
    ("sent_s", "error"),
    [
        (np.arange(100.0), 0.0),
        (np.arange(100.0) + 0.001, 0.0),
        (np.where(np.arange(100) % 10 == 0, np.nan, np.arange(100.0)), -0.1),
        (np.append(np.arange(100.0), 50.5), 0.02),
        (np.full(100, np.nan), -1.0),
    ],
    ids=["kept", "late by a little", "one in ten never sent", "one too many", "none sent"],
)
def test_the_rate_error_is_what_is_missing(sent_s: Times, error: float) -> None:
    """Of the 50 intended in the window, relative: too few is negative, too many positive."""
    found = rate_error(np.arange(100.0), sent_s, start_s=10.0, end_s=60.0)

    assert found == pytest.approx(error)


def test_a_client_that_falls_behind_misses_its_rate() -> None:
    """Sent at 9 a second, meant at 10: 10 % short in the first half, though all were sent at last."""
    intended_s = np.arange(1_000) / 10
    sent_s = np.arange(1_000) / 9

    assert rate_error(intended_s, sent_s, start_s=0.0, end_s=50.0) == pytest.approx(-0.1, abs=0.003)
    assert rate_error(intended_s, sent_s, start_s=0.0, end_s=200.0) == pytest.approx(0.0)


def test_no_rate_has_no_error() -> None:
    """A window in which nothing was meant to be sent is no success."""
    assert rate_error(np.arange(10.0), np.arange(10.0), start_s=20.0, end_s=30.0) is None
