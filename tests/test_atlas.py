"""The atlas: the probe finds what sources let expect, and what was found is written down right."""

import ast
import gc
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from gilfree import assert_releases_gil, interpreter
from gilfree.explore import statement
from gilfree.explore.probe import LETS_GO, VERDICTS, Probe, measure

PATH = Path(__file__).parents[1] / "benchmarks" / "atlas.py"
if not PATH.exists():
    pytest.skip("benchmarks/atlas.py is not here: this is not the source tree", allow_module_level=True)


def load_atlas() -> Any:
    """The script as a module: nothing installs it."""
    spec = importlib.util.spec_from_file_location("atlas", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["atlas"] = module
    spec.loader.exec_module(module)
    return module


atlas = load_atlas()


def is_here(module: str | None) -> bool:
    return module is None or importlib.util.find_spec(module) is not None


def label(row: Any) -> str:
    """What is called, where there is one call and that is enough to tell rows apart; else the statement."""
    name, *rest = row.statement.split("(")
    alike = [other for other in atlas.ROWS if other.statement.split("(")[0] == name]
    return str(name if len(rest) == len(alike) == 1 and name.replace(".", "").isidentifier() else row.statement)


# --- what sources let expect -----------------------------------------------------------------------------------------

# Rows of libraries that are not here are left out rather than skipped: the atlas has more libraries than any run of the
# suite, and a test that is skipped in every run is taken for a mistake.
JUDGED = [row for row in atlas.ROWS if row.expected and is_here(atlas.GROUPS[row.group]) and not row.lacking()]
# Where there need be no GIL, other libraries may switch it on as they are imported, for all the tests that follow; and
# what holds it is no question there.
if interpreter.free_threaded_build():
    JUDGED = [row for row in JUDGED if atlas.GROUPS[row.group] in (None, "numpy", "gilfree")]


@pytest.mark.thread_unsafe(reason="the switch interval belongs to the whole process")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # what a setup opened is closed when all forget it
@pytest.mark.clocks
@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=pytest.mark.few(5, of=row.expected)) for row in JUDGED], ids=label
)
def test_expected(row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        judge(row)
        gc.collect()  # open files, before their folder goes


def judge(row: Any) -> None:
    try:
        func, args, kwargs = statement.load(row.statement, row.setup)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    if not interpreter.gil_enabled():
        assert measure(func, args, kwargs, seconds=0.02).verdict == "no-gil"
    elif set(row.expected) <= set(LETS_GO):
        assert_releases_gil(func, *args, **kwargs)
    else:
        # How a call holds the GIL is told from CPU times, which only Linux counts by the thread; whether it lets go is
        # not.
        accepted = set(row.expected) if sys.platform == "linux" else {*row.expected, *VERDICTS} - set(LETS_GO)
        for seconds in (0.1, 1, 4):
            found = measure(func, args, kwargs, seconds=seconds)
            # A witness is a proof, and more of them say no more. Which of the others it is, a few knocks can get wrong
            # or leave open, and more of them tell.
            if found.verdict in accepted or found.verdict in LETS_GO:
                break
        # A machine so busy that it cannot be told does not prove the source wrong.
        assert found.verdict in accepted | {"inconclusive"}, str(found)


# --- the rows --------------------------------------------------------------------------------------------------------


def test_there_are_many_rows() -> None:
    assert len(atlas.ROWS) >= 120
    assert sum(row.expected is not None for row in atlas.ROWS) >= 100
    assert {row.group for row in atlas.ROWS} == set(atlas.GROUPS)


def test_statements_differ() -> None:
    statements = [row.statement for row in atlas.ROWS]
    assert [text for text in statements if statements.count(text) > 1] == []


def test_rows_of_a_group_stand_together() -> None:
    groups = [row.group for row in atlas.ROWS]
    assert sorted(groups, key=list(atlas.GROUPS).index) == groups


@pytest.mark.parametrize("row", atlas.ROWS, ids=label)
def test_row(row: Any) -> None:
    statement.check(row.statement, row.setup)
    assert set(row.expected or ()) <= set(VERDICTS)
    # Who expects something says where that is said.
    assert row.why or row.expected is None
    # A name that is mistyped would show as "not installed" for ever.
    known = {*sys.stdlib_module_names, *filter(None, atlas.GROUPS.values()), "compression"}
    nodes = list(ast.walk(ast.parse(row.setup)))
    names = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= known


# --- what is written -------------------------------------------------------------------------------------------------


def made_up(verdict: str = "releases", share: float | None = 0.5) -> Probe:
    return Probe(
        name="made up",
        verdict=verdict,
        why="",
        witnesses=1,
        runs=2,
        free_share=share,
        free_share_interval=None if share is None else (share, share),
        speedup_bound=None,
        longest_hold=None if share is None else 1.5e-3,
        stalls={},
        switch_interval=0.005,
        waiting=None,
        call=0.25,
        loops=1,
        cpu=1.0,
        native_threads=None,
        waits=(0.5, 0.5),
    )


def row(text: str, expected: tuple[str, ...] | None = None, group: str = "NumPy", why: str = "") -> Any:
    return atlas.Row(group, text, "import this", expected, why)


def made_up_atlas(*found: Any) -> Any:
    machine = {"gil_enabled": True, "cpu": "a <CPU>", "cpus": 2, "system": "a system"}
    return atlas.Atlas(machine, "2025-01-01", list(found))


@pytest.fixture
def some(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An atlas with one row of each kind, as a Python with a GIL would find it."""
    monkeypatch.setattr(interpreter, "free_threaded_build", lambda: False)
    return made_up_atlas(
        atlas.Found(row("a < b | c", ("releases",), "Waiting", why="source & line"), "releases", made_up()),
        atlas.Found(row("worse()", ("releases", "partial")), "holds", made_up("holds", 0.0)),
        atlas.Found(row("unknown()"), "inconclusive", made_up("inconclusive", None)),
        atlas.Found(row("absent()", ("holds",), "orjson"), atlas.NOT_INSTALLED, note="No module named 'absent'"),
        atlas.Found(row("1 / 0", ("holds",), "orjson"), atlas.FAILED, note="ZeroDivisionError: division by zero"),
    )


def test_markdown(some: Any) -> None:
    lines = atlas.markdown(some).splitlines()
    assert r"| `a < b \| c` | releases | 50.0% | 1.50 ms | 250 ms | source & line |" in lines
    assert "| `worse()` | holds | 0.0% | 1.50 ms | 250 ms | ≠ expected: releases or partial |" in lines
    assert "| `unknown()` | inconclusive | – | – | 250 ms |  |" in lines
    assert "| `absent()` | not installed | – | – | – | No module named 'absent' |" in lines
    assert "| `1 / 0` | failed | – | – | – | ZeroDivisionError: division by zero |" in lines
    assert [line for line in lines if line.startswith("## ")] == ["## Waiting", "## NumPy", "## orjson"]
    assert "1 releases, 1 holds, 1 inconclusive, 1 not installed, 1 failed, 1 not as expected" in lines[2]


def test_page(some: Any) -> None:
    text = atlas.page(some)
    assert "<code>a &lt; b | c</code>" in text
    assert "source &amp; line" in text
    assert "a &lt;CPU&gt;" in text
    assert "a < b" not in text
    for word in ("releases", "holds", "inconclusive", "not installed", "failed", "≠ expected: releases or partial"):
        assert f">{word}<" in text
    assert "partial</dt>" not in text  # only verdicts that occur are explained
    for outside in ("http", "src=", "<link", "@import", "url("):
        assert outside not in text


def test_json(some: Any) -> None:
    plain = json.loads(json.dumps(some.to_dict()))
    assert [line["verdict"] for line in plain["rows"]] == [
        "releases",
        "holds",
        "inconclusive",
        "not installed",
        "failed",
    ]
    first, second, *_, last = plain["rows"]
    assert first["statement"] == "a < b | c"
    assert first["setup"] == "import this"
    assert first["expected"] == ["releases"]
    assert first["version"] == f"Python {atlas.python()}"
    assert first["probe"]["free_share"] == 0.5
    assert "waits" not in first["probe"]
    assert [line["differs"] for line in plain["rows"]] == [False, True, False, False, False]
    assert second["version"] == atlas.library("NumPy")
    assert last["probe"] is None


def test_nothing_is_expected_of_a_build_without_a_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "free_threaded_build", lambda: True)
    found = atlas.Found(row("free()", ("holds",)), "no-gil", made_up("no-gil"))
    assert not found.differs


@pytest.mark.thread_unsafe
def test_who_switched_the_gil_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "free_threaded_build", lambda: True)
    monkeypatch.setattr(interpreter, "gil_enabled", lambda: False)
    monkeypatch.setattr(atlas, "probe_in_child", lambda *args, **kwargs: made_up("holds"))
    assert "switched the GIL on" in atlas.judge(row("old()", ("releases",)), 1).note
    monkeypatch.setattr(atlas, "probe_in_child", lambda *args, **kwargs: made_up("no-gil"))
    assert atlas.judge(row("new()", ("releases",)), 1).note == ""


@pytest.mark.thread_unsafe
def test_a_verdict_that_differs_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "free_threaded_build", lambda: False)
    times: list[float] = []

    def probe(*args: Any, seconds: float, **kwargs: Any) -> Probe:
        times.append(seconds)
        return made_up("yields" if len(times) == 1 else "holds")

    monkeypatch.setattr(atlas, "probe_in_child", probe)
    assert not atlas.judge(row("thing()", ("holds",)), 1).differs
    assert times == [1, 4]
    assert not atlas.judge(row("thing()", ("holds",)), 1).differs
    assert times == [1, 4, 1]


def test_a_row_for_a_later_python() -> None:
    found = atlas.judge(atlas.Row("NumPy", "later()", since=(4, 0)), 1)
    assert found.word == atlas.NOT_INSTALLED
    assert found.note == "needs Python 4.0 or newer"


# --- the command -----------------------------------------------------------------------------------------------------


def error(text: str) -> Any:
    raise statement.StatementError(text)


def interrupt() -> Any:
    raise KeyboardInterrupt


OUTCOMES = {
    "as-expected": (lambda: made_up("holds"), 0),
    "differs": (lambda: made_up("partial"), 1),
    "cannot-tell": (lambda: made_up("inconclusive"), 1),
    "not-installed": (lambda: error("Traceback:\nModuleNotFoundError: No module named 'absent'\n"), 0),
    "failed": (lambda: error("Traceback:\nValueError: wrong\n"), 1),
    "interrupted": (interrupt, 130),
}


@pytest.mark.thread_unsafe
@pytest.mark.parametrize(("outcome", "status"), OUTCOMES.values(), ids=OUTCOMES)
def test_exit_status(outcome: Any, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich", reason="rich is not installed")
    monkeypatch.setattr(interpreter, "free_threaded_build", lambda: False)
    monkeypatch.setattr(atlas, "ROWS", [row("thing()", ("holds",)), row("another()", ("holds",))])
    monkeypatch.setattr(atlas, "probe_in_child", lambda *args, **kwargs: outcome())
    assert atlas.main(["--output", str(tmp_path / "new")]) == status
    names = sorted(path.name for path in tmp_path.rglob("atlas-*"))
    stem = f"atlas-{atlas.python()}"
    assert names == ([] if status == 130 else [f"{stem}.html", f"{stem}.json", f"{stem}.md"])


@pytest.mark.thread_unsafe
def test_a_run_of_all_kinds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich", reason="rich is not installed")
    rows = [
        atlas.Row("Waiting", "time.sleep(0.01)", "import tempfile, time\ntempfile.mkdtemp()", ("releases",)),
        atlas.Row("Waiting", "time.sleep(0.02)", "import time", ("holds",)),
        atlas.Row("orjson", "absent.function()", "import absent"),
        atlas.Row("Waiting", "1 / 0"),
        atlas.Row("NumPy", "left.out()"),
    ]
    monkeypatch.setattr(atlas, "ROWS", rows)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TMPDIR", raising=False)
    assert (
        atlas.main(["--time", "0.1", "--output", str(tmp_path / "results"), "--only", "WAIT", "--only", "absent"]) == 1
    )
    assert [path.name for path in tmp_path.iterdir()] == ["results"]  # and no temporary file of a child
    lines = {line["statement"]: line for line in json.loads(next(tmp_path.rglob("*.json")).read_text())["rows"]}
    assert list(lines) == [line.statement for line in rows[:4]]
    assert lines["absent.function()"]["note"] == "ModuleNotFoundError: No module named 'absent'"
    assert lines["1 / 0"]["verdict"] == "failed"
    assert lines["1 / 0"]["note"] == "ZeroDivisionError: division by zero"
    slept = lines["time.sleep(0.02)"]
    if interpreter.gil_enabled():
        assert slept["verdict"] in ("releases", "partial")
        assert slept["differs"] is not interpreter.free_threaded_build()
    else:
        assert slept["verdict"] == "no-gil"
    shown = capsys.readouterr()
    assert "ZeroDivisionError: division by zero" in shown.out
    assert ("≠ expected: holds" in shown.out) is slept["differs"]
    assert "written: " in shown.err


@pytest.mark.thread_unsafe
@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--only", "no such row"], "no group and no statement has"), (["--time", "0"], "seconds: got 0")],
)
def test_bad_arguments(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        atlas.main(arguments)
    assert said in capsys.readouterr().err
