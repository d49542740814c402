"""What an engine can be told to do wrong: its answers on real sockets, and its door."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.engine_client import CHAT, ask, chat, contents, events, run, served, truths

from engine import faults, misbehave
from engine.api import CALLER
from engine.faults import Misbehaviour, Misconduct, open_door, read_misbehaviour
from engine.settings import read_settings
from sealegs.cluster.places import STACK
from sealegs.faults import straight


def test_an_engine_told_so_answers_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    """Every request is refused with it, under the engine's name, with a line in its log; probes are not."""

    async def body() -> None:
        async with served() as (engine, client):
            engine.misconduct.become(Misbehaviour(status=503))
            response = await ask(client, "r1", chat(5))

            assert response.status == 503
            assert response.headers["x-served-by"] == "pod-0"
            assert "Retry-After" not in response.headers
            assert (await response.json())["error"]["message"] == "this engine was told to answer 503"
            assert [(await client.get(path)).status for path in ("/ready", "/health")] == [200, 200]
            engine.misconduct.become(Misbehaviour())
            assert (await ask(client, "r2", chat(5))).status == 200

    run(body)

    said = truths(capsys.readouterr().out)
    assert (said["r1"]["finish"], said["r1"]["tokens"]) == ("refused", 0)


def test_a_stream_is_reset_in_place_of_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    """What came before is whole, then the connection breaks; an answer in one piece is left alone."""

    async def body() -> None:
        async with served() as (engine, client):
            engine.misconduct.become(Misbehaviour(reset_at_token=4))
            cut = await asyncio.to_thread(straight.ask, client.port or 0, tokens=9)
            engine.misconduct.become(Misbehaviour(reset_at_token=10))
            whole = await asyncio.to_thread(straight.ask, client.port or 0, tokens=9)
            engine.misconduct.become(Misbehaviour(reset_at_token=1))
            in_one_piece = await ask(client, "r1", chat(9) | {"stream": False})
            broken = await ask(client, "r2", chat(9))
            with pytest.raises(aiohttp.ClientError):
                await broken.read()

            assert (cut["status"], cut["tokens"], cut["whole"]) == (200, 3, False)
            assert (whole["status"], whole["tokens"], whole["whole"]) == (200, 9, True)
            assert in_one_piece.status == 200

    run(body)

    finished = [
        (one["finish"], one["tokens"], one["phase_at_end"])
        for one in truths(capsys.readouterr().out).values()
    ]
    assert finished == [
        ("abort", 3, "decode"),
        ("length", 9, "done"),
        ("length", 9, "done"),
        ("abort", 0, "decode"),
    ]


@pytest.mark.parametrize(("limit_s", "status", "left"), [(5.0, 200, 0), (0.0, 429, 2)])
def test_a_full_engine_is_asked_until_it_has_room(
    monkeypatch: pytest.MonkeyPatch, limit_s: float, status: int, left: int
) -> None:
    """Refused for want of room it asks again, and gives up when its time is over."""
    answers = [{"status": 200}, {"status": 429}, {"status": 429}]
    monkeypatch.setattr(straight, "_ask_once", lambda *_, **__: answers.pop())
    monkeypatch.setattr(straight, "AGAIN_S", 0)
    monkeypatch.setattr(straight, "ROOM_LIMIT_S", limit_s)

    assert straight.ask(1, tokens=2)["status"] == status
    assert len(answers) == left


def test_a_slow_engine_takes_its_factor(capsys: pytest.CaptureFixture[str]) -> None:
    """No token comes before its step, which takes so many times as long, is over."""

    async def body() -> None:
        async with served(DECODE_STEP_MS="2", DECODE_STEP_PER_SEQ_MS="0") as (engine, client):
            engine.misconduct.become(Misbehaviour(slow_factor=10))
            assert len(contents(await events(await ask(client, "r1", chat(4))))) == 4

    run(body)

    said = truths(capsys.readouterr().out)["r1"]
    assert sum(said["sent_us"]) >= 4 * 20_000


@given(share=st.floats(0.01, 1), calls=st.lists(st.sampled_from("ab"), max_size=200))
def test_each_caller_meets_its_share_evenly(share: float, calls: list[str]) -> None:
    """Whatever comes in between, of any so many requests of one caller the share is met, one more or less."""
    misconduct = Misconduct()
    misconduct.now = Misbehaviour(status=503, share=share)
    met: dict[str, list[bool]] = {"a": [], "b": []}
    for caller in calls:
        met[caller].append(misconduct.meets(caller))

    for its in met.values():
        for start in range(len(its)):
            for end in range(start + 1, len(its) + 1):
                assert abs(sum(its[start:end]) - share * (end - start)) <= 1 + 1e-9


def test_callers_are_told_apart_by_their_proxies_certificates() -> None:
    """Of two callers that take turns each meets every second time, and not one always and one never."""

    async def body() -> None:
        async with served() as (engine, client):
            engine.misconduct.become(Misbehaviour(status=503, share=0.5))
            seen: dict[str, list[int]] = {"Hash=a": [], "Hash=b": []}
            for number in range(8):
                caller = ("Hash=a", "Hash=b")[number % 2]
                response = await client.post(CHAT, json=chat(1), headers={CALLER: caller})
                await response.read()
                seen[caller].append(response.status)

            assert seen == {"Hash=a": [200, 503, 200, 503], "Hash=b": [200, 503, 200, 503]}

            for status in (200, 200):
                # Told anew, it counts anew.
                engine.misconduct.become(Misbehaviour(status=503, share=0.5))
                assert (await ask(client, "again", chat(1))).status == status

    run(body)


def test_the_door_takes_orders_and_says_what_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told it does so; told another thing, only that; asked, nothing changes; a stale socket is no bar."""
    path, misconduct = str(tmp_path / "door"), Misconduct()

    async def body() -> None:
        (await open_door(path, misconduct)).close()
        async with await open_door(path, misconduct):
            for line, status, factor in (
                ('{"status": 503}', 503, 1),
                ("", 503, 1),
                ('{"slow_factor": 2}', 0, 2),
            ):
                said = json.loads(await asyncio.to_thread(misbehave.tell, path, line))
                assert (said["status"], said["slow_factor"]) == (status, factor)
            monkeypatch.setenv("FAULTS_SOCKET", path)
            monkeypatch.setattr("sys.argv", ["misbehave", '{"status": 1}'])
            assert await asyncio.to_thread(misbehave.main) == 4
            assert misconduct.now == Misbehaviour(slow_factor=2)

    run(body)

    printed = capsys.readouterr()
    assert "misbehave: status: 0, or 500 to 599" in printed.err
    assert [json.loads(line)["told"]["status"] for line in printed.out.splitlines()] == [503, 0]


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [("", 4, "FAULTS_SOCKET is not set"), ("/absent/door", 5, "the engine does not answer at /absent/door")],
)
def test_where_there_is_no_door_nobody_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str, code: int, said: str
) -> None:
    """Without the setting, and without an engine, the program says so and fails."""
    monkeypatch.setenv("FAULTS_SOCKET", path)
    monkeypatch.setattr("sys.argv", ["misbehave"])

    assert misbehave.main() == code
    assert said in capsys.readouterr().err


def test_wrong_orders_are_refused_all_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is no field, of another type or out of range is named, each of them."""
    monkeypatch.setattr(faults, "MEMORY_LIMITS", (tmp_path / "absent",))
    for line, named in (
        ("{", r"Expecting"),
        ("[]", r"a JSON object"),
        ('{"x": 1, "status": "503", "eat_memory": 1}', r"x: .*; status: .*; eat_memory: "),
        ('{"status": 200, "share": 0, "slow_factor": 0.5}', r"status: .*; share: .*; slow_factor: "),
        ('{"reset_at_token": -1, "share": 1.5}', r"reset_at_token: .*; share: "),
        ('{"slow_factor": Infinity}', r"slow_factor: "),
        ('{"eat_memory": true}', r"eat_memory: this container has no limit"),
    ):
        with pytest.raises(ValueError, match=named):
            read_misbehaviour(line)


@pytest.mark.parametrize(
    ("limit", "may"), [("max\n", False), ("9223372036854771712\n", False), ("402653184\n", True)]
)
def test_memory_is_eaten_only_under_a_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, *, may: bool
) -> None:
    """Where the kernel would not end this container it would end the machine's other programs."""
    (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(faults, "MEMORY_LIMITS", (tmp_path / "absent", tmp_path / "memory.max"))
    if may:
        assert read_misbehaviour('{"eat_memory": true}').eat_memory
    else:
        with pytest.raises(ValueError, match="no limit of memory"):
            read_misbehaviour('{"eat_memory": true}')


def test_memory_that_is_eaten_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mouthful by mouthful it is taken and filled, by one eater however often it is told, and given back."""
    monkeypatch.setattr(faults, "MOUTHFUL_BYTES", 1000)
    full = asyncio.Event()

    async def after_a_mouthful(_: float) -> None:
        if len(misconduct.eaten) >= 3:
            full.set()
            await asyncio.Event().wait()

    async def body() -> None:
        misconduct.become(Misbehaviour(eat_memory=True))
        misconduct.become(Misbehaviour(eat_memory=True))
        await full.wait()
        assert misconduct.eaten == [b"\x01" * 1000] * 3
        misconduct.become(Misbehaviour())

    misconduct = Misconduct()
    monkeypatch.setattr("asyncio.sleep", after_a_mouthful)
    run(body)

    assert misconduct.eaten == []


def test_only_our_own_clusters_engines_have_a_door() -> None:
    """No manifest that may reach another cluster names the setting, and without it there is no door."""
    named = [path for path in sorted(STACK.rglob("*.yaml")) if "FAULTS_SOCKET" in path.read_text()]

    assert named == [STACK / "overlays" / "kind" / "llm-inference.yaml"]
    assert read_settings({}).faults_socket == ""
