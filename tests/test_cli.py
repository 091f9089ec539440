"""The command line: what it prints, what it writes, and its exit status."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gilfree import backends, cli, interpreter
from gilfree.explore import record

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
    states = ("held", "released") if interpreter.gil_enabled() else ("none", "without a GIL")
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
    keys = {"kernel", "backend", "engine", "threads", "size", "seconds", "best", "speedup"}
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
    assert "written: " in capsys.readouterr().err


def test_answers_that_disagree_end_with_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    monkeypatch.chdir(tmp_path)
    doors = backends.kernels("reductions", "python")
    monkeypatch.setattr(doors, "_block", lambda values: 1.0)
    assert quick("--no-plot") == 3
    assert "does not give the answer of" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
