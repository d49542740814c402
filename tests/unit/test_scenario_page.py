"""``docs/scenario.md`` is what the code that reads scenarios says, and its example is a scenario."""

from dataclasses import dataclass
from pathlib import Path

from tests.unit import scenario_page
from tests.unit.scenario_words import INTROS, MEANINGS

from sealegs.run import plan
from sealegs.scenario import claim, load_scenario

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_code_says() -> None:
    """It is written anew when a key, a default, a rule, a measure or what is said of one changes."""
    written = scenario_page.PAGE.read_text()

    assert written == scenario_page.page(), "run `.venv/bin/python -m tests.unit.scenario_page`"
    assert [name for name in claim.MEASURES if f"| `{name}` |" not in written] == []


def test_the_example_can_be_run(tmp_path: Path) -> None:
    """As it stands on the page, in a checkout: every file that it names is there, and it can be sent."""
    (tmp_path / "scenarios").mkdir()
    for name in ("experiments", "locustfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    path = tmp_path / "scenarios" / "mine.toml"
    path.write_text(scenario_page.PAGE.read_text().split("```toml\n")[1].split("```\n")[0])

    scenario = load_scenario(path)
    assert plan(scenario).num_rows > 0
    assert all(
        (scenario.experiment, scenario.objectives, scenario.invariants, scenario.bounds, scenario.recovery)
    )


def test_each_key_has_one_meaning() -> None:
    """It stands in the docstring of its class or among the words, and no word is of a key that is gone."""
    found = list(scenario_page.keys())
    told = {id(shape): scenario_page.attributes(shape) for _, _, shape in found}
    without = {scenario_page.word_of(at, name) for at, name, shape in found if not told[id(shape)]}

    assert without == MEANINGS.keys()
    assert {name for _, name, shape in found if told[id(shape)]} == {
        name for names in told.values() for name in names
    }
    assert INTROS.keys() <= {at for at, _, _ in found}


def test_attributes_are_read_as_they_are_written() -> None:
    """Each with the lines that go on it, without what stands before them."""

    @dataclass
    class Told:
        """What it is.

        More of it.

        Attributes:
            one: the first, which
                goes on.
            two: the second.
        """

    assert scenario_page.attributes(Told) == {"one": "the first, which goes on", "two": "the second"}
    assert scenario_page.attributes(type("Untold", (), {})) == {}
