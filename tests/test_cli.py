"""The command line: what it prints, what it writes, and its exit status."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import child
import numpy as np
import pytest

from gilfree import Probe, backends, cli, interpreter
from gilfree.explore import record
from gilfree.explore.probe import VERDICTS

# Everything here looks at what is printed or changes the working folder.
pytestmark = pytest.mark.thread_unsafe


def test_info_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"python", "gil_enabled", "free_threaded_build", "isa", "threads", "backends"} <= set(found)
    assert list(found["backends"]) == list(backends.BACKENDS)
    for name, row in found["backends"].items():
        assert row["available"] == (backends.missing(name) is None)
        assert row["available"] or "pip install" in row["why"]
    assert found["isa"] == backends.isa()
    assert [row["default"] for row in found["backends"].values()].count(True) == 1


def test_info_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info"]) == 0
    printed = capsys.readouterr().out
    for word in (*backends.BACKENDS, "GIL", "Numba layer", "threads"):
        assert word in printed


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "gilfree", "info", "--json"], capture_output=True, check=True)
    assert "backends" in json.loads(done.stdout)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("gilfree 0.")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["no-such-command"],
        ["bench", "--threads", "0"],
        ["bench", "--threads", "many"],
        ["bench", "--size", "0"],
        ["bench", "--size", "1.5"],
        ["bench", "--plot", "picture.jpg"],
        ["bench", "--plot", "a.png", "--no-plot"],
        ["bench", "--all", "--kernel", "sum"],
        ["probe"],
        ["probe", "pass", "--expect", "free"],
        ["probe", "pass", "--expect", ""],
        ["probe", "pass", "--time", "long"],
        ["probe", "pass", "--plot", "stalls.pdf"],
    ],
    ids=" ".join,
)
def test_bad_words_end_with_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert "usage: gilfree" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kernel", "product"], "kernel: got 'product', expected one of is_prime"),
        (["--backend", "fortran"], "backend: got 'fortran', expected one of python"),
        (["--threads", "1,5000"], "threads: got 5000, expected an integer from 1 to 1024"),
        (["--array", "missing.npy"], "missing.npy: No such file or directory"),
        (["--kernel", "count_primes", "--array", "numbers.npy"], "no kernel asked for can use that file"),
        (["--array", "words.npy"], "array: got words.npy, expected a .npy file"),
        (["--array", "empty.npy"], "expected a .npy file with at least one element"),
        (["--array", "text.npy"], "array: got text.npy, expected a .npy file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_values_end_with_status_2(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Said in one line, before anything is measured or written."""
    pytest.importorskip("rich")
    monkeypatch.chdir(tmp_path)
    np.save("numbers.npy", np.arange(10))
    np.save("empty.npy", np.arange(0))
    np.save("words.npy", np.array(["a", 1], dtype=object))
    Path("text.npy").write_text("no array")
    before = sorted(tmp_path.iterdir())
    assert cli.main(["bench", "--no-plot", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert sorted(tmp_path.iterdir()) == before


def quick(*words: str) -> int:
    """A benchmark of a moment: one kernel, two backends, little work."""
    return cli.main(["bench", "--quick", "--kernel", "sum", "--backend", "python,cython", "--size", "300000", *words])


def test_bench_prints_a_table_and_writes_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    monkeypatch.chdir(tmp_path)
    assert quick("--no-plot") == 0
    printed = capsys.readouterr().out
    states = ("yields", "%") if interpreter.gil_enabled() else ("no-gil", "without a GIL")
    for word in ("sum", "300 k float64", "python", "cython", *states):
        assert word in printed
    assert "\x1b" not in printed  # no colours where there is no terminal
    (written,) = (tmp_path / "results").iterdir()
    run = record.load(written)
    assert run.kernels() == ["sum"]
    assert {row.backend for row in run.records} == {"python", "cython"}
    assert quick("--no-plot") == 0
    assert len(list((tmp_path / "results").iterdir())) == 2  # the first is still there


def test_bench_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    monkeypatch.chdir(tmp_path)
    assert quick("--no-plot", "--threads", "1,2", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {"machine", "ceiling", "records"} <= set(found)
    assert set(found["ceiling"]["sum"]) == {"1", "2"}
    keys = {"kernel", "backend", "engine", "threads", "size", "seconds", "best", "median", "gain"}
    for row in found["records"]:
        assert set(row) == keys
        assert row["best"] == min(row["seconds"])
    assert not list(tmp_path.iterdir())


def test_bench_writes_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert quick("--json", "here/data.json", "--plot", "there/picture.svg") == 0
    assert record.load(Path("here/data.json")).kernels() == ["sum"]
    assert "<svg" in Path("there/picture.svg").read_text(encoding="utf-8")
    assert f"written: {Path('here/data.json')}, {Path('there/picture.svg')}\n" in capsys.readouterr().err


def test_files_of_one_name_are_named_once() -> None:
    data, elsewhere = Path("a/2026-01-02-3.11.7.json"), Path("b/2026-01-02-3.11.7.png")
    assert cli._names([data, data.with_suffix(".png"), data.with_suffix(".svg")]) == f"{data}, .png, .svg"
    assert cli._names([data, elsewhere]) == f"{data}, {elsewhere}"
    assert cli._names([data]) == str(data)


def test_answers_that_disagree_end_with_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    monkeypatch.chdir(tmp_path)
    doors = backends.kernels("reductions", "python")
    monkeypatch.setattr(doors, "_block", lambda *_: 1.0)
    assert quick("--no-plot") == 3
    assert "does not give the answer of" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# --- gilfree probe ---------------------------------------------------------------------------------------------------

SPIN = "from gilfree._heartbeat import spin"
LETS_GO, HOLDS, BYTECODE = "spin(0, 2e-3)", "spin(2e-3)", "sum(i for i in range(10_000))"
GIL = interpreter.gil_enabled()


def probe(*words: str) -> int:
    return cli.main(["probe", *words, "-s", SPIN, "--time", "0.3"])


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([LETS_GO], 0),
        ([HOLDS], 1 if GIL else 0),
        ([BYTECODE], 1 if GIL else 0),
        ([LETS_GO, "--expect", "releases,partial,no-gil"], 0),
        ([HOLDS, "--expect", "holds,yields,no-gil"], 0),
        ([LETS_GO, "--expect", "holds"], 1),
        ([LETS_GO, HOLDS], 1 if GIL else 0),
        (["while True: pass", "--timeout", "1"], 3),
        (["while True: pass", "--timeout", "1", "--expect", "inconclusive"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_probe_status(words: list[str], status: int) -> None:
    if words[1:] and not words[1].startswith("--"):
        pytest.importorskip("rich")  # for the table
    assert probe(*words) == status


def test_probe_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe(LETS_GO) == 0
    captured = capsys.readouterr()
    for word in (LETS_GO, "verdict", "why", "a call", "others wait" if GIL else "no-gil"):
        assert word in captured.out
    assert captured.err == ""


def test_probe_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    probe(LETS_GO, BYTECODE)
    printed = capsys.readouterr().out
    for word in (LETS_GO, BYTECODE, "callable", "verdict", "longest hold", "yields" if GIL else "no-gil"):
        assert word in printed
    assert "\x1b" not in printed


def test_probe_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    probe(LETS_GO, HOLDS, "--json")
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["probes"]] == [LETS_GO, HOLDS]
    assert found["machine"]["gil_enabled"] is GIL
    for row in found["probes"]:
        assert Probe.from_dict(row).to_dict() == row


def test_probe_writes_where_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    data, picture = tmp_path / "new" / "data.json", tmp_path / "stalls.svg"
    assert probe(LETS_GO, "--json", str(data), "--plot", str(picture)) == 0
    assert json.loads(data.read_text())["probes"][0]["name"] == LETS_GO
    text = picture.read_text(encoding="utf-8")
    for word in ("switch interval, 5 ms", LETS_GO, "how long another thread waits for the GIL"):
        assert word in text
    assert "verdict" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["1 +"], "invalid syntax"),
        ([""], "statement: got an empty one"),
        (["pass", "1 +"], "invalid syntax"),
        (["pass", "--timeout", "0"], "timeout: got 0.0, expected a positive number of seconds"),
        (["pass", "--interval", "0"], "interval: got 0.0, expected seconds from 1e-5 to 10"),
        (["no_such_module_at_all:f"], "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        (["1 / 0"], "ZeroDivisionError: division by zero"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_probe_of_nonsense_ends_with_status_2(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.json"
    assert cli.main(["probe", *words, "--json", str(data)]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert not data.exists()


def test_a_statement_that_prints(capfd: pytest.CaptureFixture[str]) -> None:
    """Once for each of its thousand calls would be too often."""
    probe("print('seen', flush=True)", "--json")
    assert "machine" in json.loads(capfd.readouterr().out)


# A shell starts what it puts into the background deaf to it, and all that this starts is deaf, too.
HEARS_CTRL_C = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


def test_probe_interrupted() -> None:
    """Ctrl-C stops the child too, and nothing is written."""
    if sys.platform == "win32":
        pytest.skip("no SIGINT to send to another process there")
    code = HEARS_CTRL_C + "from gilfree import cli; sys.exit(cli.main(sys.argv[1:]))"
    words = ["probe", "print('begun', file=sys.stderr, flush=True); time.sleep(60)", "-s", "import sys, time"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env=child.environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed == ""
    assert "interrupted, nothing was written" in said


def test_probe_interrupted_at_once() -> None:
    """As a terminal does it, to the child too, and before that has got anywhere: no traceback is seen."""
    if sys.platform == "win32":
        pytest.skip("no SIGINT to send to a group of processes there")
    code = (
        HEARS_CTRL_C
        + """
import multiprocessing.context, os
from gilfree import cli
start = multiprocessing.context.SpawnProcess.start
def start_and_interrupt(child):
    start(child)
    os.kill(child.pid, signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
multiprocessing.context.SpawnProcess.start = start_and_interrupt
sys.exit(cli.main(["probe", "pass"]))
"""
    )
    done = child.python(code)
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr == "gilfree: interrupted, nothing was written\n"


def test_the_command_lines_verdicts_are_the_probes() -> None:
    """They are written down twice so that the command line starts without the instruments."""
    assert tuple(VERDICTS) == cli.VERDICTS
