"""A stack of yours is read from one file: every problem with its line, and every name as it is meant."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealegs import stack_choice
from sealegs.errors import ScenarioError
from sealegs.scenario import Scenario, load_scenario
from sealegs.scenario.claim import NEEDS
from sealegs.stack_shape import (
    API,
    ENGINES,
    GATEWAY,
    REFERENCE,
    Door,
    Engines,
    Gateway,
    Key,
    StackShape,
    load_shape,
    shape_of,
)

ROOT = Path(__file__).parents[2]
FOREIGN = load_shape(ROOT / "tests" / "e2e" / "foreign_stack" / "stack.toml")
ROW = re.compile(r"^\| `([a-z_.]+)` \| (.*?) \|", re.MULTILINE)
WRONG = """\
namespace = "N"
overlay = 1
[engines]
deployment = "E"
labels = { app = 1 }
ports = 1
port = 0
[gateway]
labels = []
url = "https://x"
"""
LEAST = '[engines]\ndeployment = "e"\nlabels = { app = "e" }\n'


def shape(folder: Path, text: str) -> StackShape:
    """The shape that a file of this text describes."""
    path = folder / "stack.toml"
    path.write_text(text)
    return load_shape(path)


def test_ours_is_described_as_one_of_yours_would_be() -> None:
    """The example in the repository is the stack that the code means when it is told of no other."""
    assert load_shape(ROOT / "stack" / "stack.toml") == REFERENCE


def test_three_keys_are_enough(tmp_path: Path) -> None:
    """A stack that stands, without a door and without keys, behind Istio's own gateway."""
    least = shape(tmp_path, f'namespace = "n"\n{LEAST}')

    assert (least.overlay, least.api, least.key, list(least.parts)) == ("", None, None, [ENGINES])
    assert least.gateway.url_inside == "http://istio-ingressgateway.istio-system.svc"


def test_a_port_that_is_not_https_stands_in_the_url(tmp_path: Path) -> None:
    """Load in the cluster asks the gateway's service at its port."""
    text = f'namespace = "n"\n{LEAST}[gateway]\nnamespace = "edge"\nservice = "in"\nport = 8080\n'

    assert shape(tmp_path, text).gateway.url_inside == "http://in.edge.svc:8080"


@pytest.mark.parametrize(
    ("namespace", "labels", "app"),
    [
        ("chat", {"component": "brain", "version": "v1"}, ENGINES),
        ("chat", {"component": "door"}, API),
        ("istio-system", {"app": "istio-ingressgateway"}, GATEWAY),
        ("other", {"component": "brain"}, ""),
        ("chat", {"component": "cache", "app": "redis"}, "redis"),
        # What is called as our engines are is no engine of a stack whose engines are called otherwise.
        ("chat", {"app": "llm-inference"}, ""),
    ],
)
def test_labels_and_namespace_make_a_role(namespace: str, labels: dict[str, str], app: str) -> None:
    """A pod has the role whose labels it has, in the namespace of that role only."""
    assert FOREIGN.app_of(namespace, labels) == app


def test_the_role_that_says_more_is_meant(tmp_path: Path) -> None:
    """Where one part's labels are among another's, a pod with all of them belongs to the other."""
    api = '[api]\ndeployment = "d"\nlabels = { app = "e", part = "door" }\n'
    found = shape(tmp_path, f'namespace = "n"\n{LEAST}{api}')

    assert found.app_of("n", {"app": "e", "part": "door"}) == API
    assert found.app_of("n", {"app": "e", "part": "model"}) == ENGINES


def test_deployments_and_containers_go_by_name(tmp_path: Path) -> None:
    """A Deployment's role is that of its name; a container that is named goes before the first."""
    named = shape(tmp_path, f'namespace = "n"\n{LEAST}container = "server"\n')

    assert [FOREIGN.app_of_deployment(name) for name in ("brain", "door", "x")] == [ENGINES, API, "x"]
    assert named.container_of(ENGINES, ("helper", "server")) == "server"
    assert named.container_of(ENGINES, ("helper", "other")) == "helper"
    assert named.container_of("redis", ("helper", "server")) == "helper"
    assert named.container_of(ENGINES, ()) == ""


def test_a_run_knows_the_shape_of_its_stack(tmp_path: Path) -> None:
    """What run.json holds is the shape again; what was recorded before there were any is ours."""
    kept: Any = json.loads(json.dumps(FOREIGN.document))

    assert shape_of({"stack": kept}, path=tmp_path) == FOREIGN
    assert shape_of({}, path=tmp_path) == REFERENCE
    for broken in ("text", {"namespace": "n"}):
        with pytest.raises(ScenarioError):
            shape_of({"stack": broken}, path=tmp_path)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["1: missing 'namespace', text", "1: missing 'engines', a table"]),
        (f'namespace = "n"\nname = "x"\n{LEAST}', ["2: unknown key 'name'"]),
        (f'namespace = "../n"\n{LEAST}', ["1: 'namespace' must be a name of Kubernetes', is '../n'"]),
        (
            f'namespace = "n"\noverlay = "o"\n{LEAST}',
            ["2: 'overlay' names no folder with a kustomization.yaml"],
        ),
        (
            'namespace = "n"\n[engines]\ndeployment = "e"\nlabels = {}\n',
            ["4: 'engines.labels' must hold a label"],
        ),
        (
            'namespace = "n"\n[engines]\ndeployment = "E"\nlabels = { app = "e/e" }\nmetrics_path = "x?"\n',
            [
                "3: 'engines.deployment' must be",
                "4: 'engines.labels' holds",
                "5: 'engines.metrics_path' must be",
            ],
        ),
        (f'namespace = "n"\n{LEAST}port = 0\n', ["5: 'engines.port' must be at least 1"]),
        (
            f'namespace = "n"\n{LEAST}[gateway]\nurl = "https://x"\n',
            ["6: 'gateway.url' must be plain HTTP, as http://10.0.0.7:30080: TLS is not spoken"],
        ),
        (
            f'namespace = "n"\n{LEAST}[gateway]\nurl = "x:1"\n',
            ["6: 'gateway.url' must be plain HTTP, as http://10.0.0.7:30080, is 'x:1'"],
        ),
        (
            WRONG,
            [
                "1: 'namespace' must be a name",
                "2: 'overlay' must be text",
                "4: 'engines.deployment' must be a name",
                "5: 'engines.labels.app' must be text",
                "6: unknown key 'engines.ports'",
                "7: 'engines.port' must be at least 1",
                "9: 'gateway.labels' must be",
                "10: 'gateway.url' must be plain HTTP",
            ],
        ),
    ],
)
def test_every_problem_has_its_line(tmp_path: Path, text: str, problems: list[str]) -> None:
    """What cannot be a stack is refused before any cluster is touched, all at once."""
    with pytest.raises(ScenarioError) as refused:
        shape(tmp_path, text)

    told = [one.removeprefix(f"{tmp_path / 'stack.toml'}:") for one in refused.value.problems]
    assert len(told) == len(problems)
    assert all(found.startswith(problem) for found, problem in zip(told, problems, strict=True)), told


def scenario(root: Path, stack: str) -> Scenario:
    """A scenario with this table of its stack."""
    text = (ROOT / "scenarios" / "pod-kill.toml").read_text().replace('overlay = "kind"', stack)
    (root / "scenarios").mkdir()
    for name in ("experiments", "locustfiles"):
        (root / name).symlink_to(ROOT / name)
    path = root / "scenarios" / "a.toml"
    path.write_text(text)
    return load_scenario(path)


def test_a_scenario_chooses_a_stack_by_name(tmp_path: Path) -> None:
    """The file lies beside the scenarios, and what is applied beside the file."""
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "chat").symlink_to(ROOT / "tests" / "e2e" / "foreign_stack")
    chosen = scenario(tmp_path, 'name = "chat"')

    assert stack_choice.shape_for(chosen) == FOREIGN
    assert stack_choice.overlay_for(chosen, FOREIGN) == ROOT / "tests" / "e2e" / "foreign_stack"


def test_a_stack_that_stands_has_nothing_applied(tmp_path: Path) -> None:
    """Without an overlay in its file a stack is taken as it is."""
    (tmp_path / "stack" / "mine").mkdir(parents=True)
    standing = shape(tmp_path / "stack" / "mine", f'namespace = "n"\n{LEAST}')
    chosen = scenario(tmp_path, 'name = "mine"')

    assert stack_choice.shape_for(chosen) == standing
    assert stack_choice.overlay_for(chosen, standing) is None


def test_without_a_name_it_is_ours(tmp_path: Path) -> None:
    """A scenario of our stack names one of its overlays."""
    ours = scenario(tmp_path, 'overlay = "kind"')

    assert stack_choice.shape_for(ours) == REFERENCE
    assert stack_choice.overlay_for(ours, REFERENCE) == "kind"


@pytest.mark.parametrize(
    ("stack", "problem"),
    [
        ("", "give the stack an overlay of ours, or the name of one of yours"),
        ('overlay = "kind"\nname = "x"', "give the stack an overlay of ours, or the name of one of yours"),
        ('name = "x"\nmutant = "m"', "mutants are planted in our stack only"),
        ('name = ".."', "'stack.name' must be a folder of stack/, is '..'"),
        ('name = "../x"', "'stack.name' must be a folder of stack/, is '../x'"),
    ],
)
def test_a_stack_is_one_of_two_kinds(tmp_path: Path, stack: str, problem: str) -> None:
    """Neither kind, or both, is no stack; a name stays within the folder of stacks."""
    with pytest.raises(ScenarioError, match=problem.replace(".", r"\.")):
        scenario(tmp_path, stack)


def test_a_stack_that_nobody_described_is_refused(tmp_path: Path) -> None:
    """A name without a file says which file was looked for."""
    with pytest.raises(ScenarioError, match=r"stack/nobody/stack\.toml:1: cannot be read"):
        stack_choice.shape_for(scenario(tmp_path, 'name = "nobody"'))


def test_the_table_of_keys_is_the_shape() -> None:
    """Every key stands in the document, in order, and with the default that it has."""
    text = (ROOT / "docs" / "stack.md").read_text()
    named, needed = (ROW.findall(part) for part in text.split("## What a scenario needs"))
    in_words = {
        "overlay": "none",
        "selector": "none",
        "engines.container": "the first",
        "api.container": "the first",
        "gateway.labels": "`app: istio-ingressgateway`",
        "gateway.url": "found",
    }

    keys = [(key, in_words.get(key, default)) for key, default in _keys(StackShape)]
    assert named == keys
    assert tuple(name for name, _ in needed) == NEEDS


def _keys(part: type[Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Each key of a table, dotted, with its default as the document writes it."""
    tables = {"engines": Engines, "api": Door, "gateway": Gateway, "key": Key}
    for one in dataclasses.fields(part):
        if one.name in tables and not above:
            yield from _keys(tables[one.name], f"{one.name}.")
        else:
            yield f"{above}{one.name}", "needed" if one.default is dataclasses.MISSING else f"`{one.default}`"
