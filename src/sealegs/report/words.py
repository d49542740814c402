"""Numbers as a reader wants them: rounded so that they never say more than was seen."""

import math

MISSING = "\N{EN DASH}"
NEVER = "never"
INDICATORS = {
    "success": "answered whole and right",
    "ttft": "first token in time",
    "tpot": "tokens at pace",
    "gap": "no long standstill",
    "e2e": "whole answer in time",
}
SIGNS = {"PASS": "✓", "FAIL": "✗", "INCONCLUSIVE": "?", "INVALID": "!"}


def share(value: float | None) -> str:
    """A share in percent with two decimals, rounded down: 99.999 % good is never shown as all good."""
    if value is None:
        return MISSING
    percent = math.floor(value * 1e4 + 1e-9) / 100
    return f"{percent:.2f}".rstrip("0").rstrip(".") + " %"


def seconds(value: float | None) -> str:
    """A duration or a moment: milliseconds below a tenth of a second, one decimal from ten on."""
    if value is None or math.isnan(value):
        return MISSING
    if 0 < abs(value) < 0.1:  # noqa: PLR2004  the step between units
        return f"{value * 1e3:.0f} ms"
    return f"{value:.2f} s" if 0 < abs(value) < 10 else f"{value:.1f} s".replace(".0 s", " s")  # noqa: PLR2004  three digits are enough


def milliseconds(value: float | None, *, digits: int = 0) -> str:
    """A duration in milliseconds, for columns whose numbers are to be compared."""
    return MISSING if value is None or math.isnan(value) else f"{value * 1e3:,.{digits}f} ms"


def figure(value: float | None) -> str:
    """A number of a table of many: four digits, or a decimal, are enough; what took for ever says so."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return NEVER
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 1_000 else f"{value:.4g}"  # noqa: PLR2004  four digits


def allowed(at_least: float | None, at_most: float | None) -> str:
    """The limits of a number, those that there are, to the last digit: a claim is about no other number."""
    limits = (("\N{GREATER-THAN OR EQUAL TO}", at_least), ("\N{LESS-THAN OR EQUAL TO}", at_most))
    return ", ".join(f"{sign} {limit:,.15g}" for sign, limit in limits if limit is not None)


def points(value: float | None) -> str:
    """A difference of shares in percentage points, with its sign."""
    return MISSING if value is None else f"{value * 100:+.2f} pp".replace("-", "\N{MINUS SIGN}")


def part(value: float | None) -> str:
    """A small share in percent, of which two digits matter wherever they stand."""
    return MISSING if value is None else f"{value * 100:.2g} %" if value < 1 else f"{value * 100:,.0f} %"


def since(value: float) -> str:
    """A moment before or after another one, with its sign."""
    return f"{value:+.{1 if abs(value) >= 1 else 2}f} s".replace("-", "\N{MINUS SIGN}")


def duration(value: float) -> str:
    """How long something lasted, in minutes and seconds."""
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def plain(value: object) -> str:
    """A check's value or limit."""
    if value is None:
        return MISSING
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
