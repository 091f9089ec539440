"""Statements, as for timeit, and the process of their own in which they are probed."""

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pieces import HOLDS, LETS_GO

from gilfree import interpreter
from gilfree._heartbeat import spin
from gilfree.explore import statement
from gilfree.explore.statement import StatementError, probe_in_child

SPIN = "from gilfree._heartbeat import spin, sleep_holding"


# --- what is called --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "args", "kwargs"),
    [
        ("f(1, 'two', three=3.0)", (1, "two"), {"three": 3.0}),
        ("f()", (), {}),
        ("  f(x) \n", (7,), {}),
        ("sys.f(x, sys.maxsize, y=x)", (7, sys.maxsize), {"y": 7}),
    ],
)
def test_a_call_of_plain_names_is_made_directly(text: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """No bytecode runs between the probe and the function."""
    func, found_args, found_kwargs = statement.load(text, "import sys\nx = 7\ndef f(*a, **k): return a, k\nsys.f = f")
    assert getattr(func, "__name__", "") == "f"
    assert (found_args, found_kwargs) == (args, kwargs)


@pytest.mark.parametrize(
    "text",
    ["f(x + 1)", "f(*x)", "f(**k)", "f(g())", "f(x)[0]", "x = 1", "f(1); f(2)", "lambda: f", "[f(i) for i in (1, 2)]"],
)
def test_anything_else_is_bytecode(text: str) -> None:
    setup = "x = [1]\nk = {}\ndef f(*a, **k): return [a]\ndef g(): pass"
    if text == "f(x + 1)":
        setup = setup.replace("[1]", "1")
    func, args, kwargs = statement.load(text, setup)
    assert func is exec
    func(*args, **kwargs)


def test_arguments_are_looked_up_after_the_setup_and_not_again() -> None:
    func, args, _ = statement.load("append(item)", "item, found = [], []\nappend = found.append")
    func(*args)
    func(*args)
    assert args == ([],)


@pytest.mark.thread_unsafe(reason="sys.path belongs to the process")
def test_a_function_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("module_of_the_users.py").write_text("class Some:\n    @staticmethod\n    def thing(): return 3\n")
    func, args, kwargs = statement.load("module_of_the_users:Some.thing")
    assert func(*args, **kwargs) == 3
    del sys.modules["module_of_the_users"]


def test_what_is_no_python_is_refused_before_anything_is_run() -> None:
    for text, setup in (("1 +", "pass"), ("1", "def"), ("a:b:c", "pass")):
        with pytest.raises(SyntaxError):
            statement.check(text, setup)
    with pytest.raises(ValueError, match="statement: got an empty one"):
        statement.check("  ")
    statement.check("package.module:function")
    with pytest.raises(SyntaxError):
        probe_in_child("1 +")
    with pytest.raises(TypeError, match="func: got int"):
        probe_in_child(3)  # type: ignore[arg-type]
    for timeout in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="timeout: got"):
            probe_in_child("pass", timeout=timeout)
    with pytest.raises(ValueError, match="seconds: got 0"):
        probe_in_child("pass", seconds=0)


# --- in a process of their own ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        ("spin(0, 2e-3)", LETS_GO),
        ("spin(2e-3)", HOLDS),
        ("for _ in range(20): spin(0, 1e-4)", LETS_GO),
        ("sum(i for i in range(10_000))", HOLDS),
        ("time:sleep", frozenset()),
    ],
    ids=["released", "held", "released-in-a-loop", "bytecode", "wrong-call"],
)
def test_probe_in_child(text: str, verdicts: frozenset[str]) -> None:
    interval = sys.getswitchinterval()
    if not verdicts:
        with pytest.raises(StatementError, match="TypeError"):
            probe_in_child(text, SPIN, seconds=0.1)
        return
    found = probe_in_child(text, SPIN, seconds=0.3)
    expected = verdicts if interpreter.gil_enabled() else {"no-gil"}
    assert found.verdict in expected, found
    assert found.name == text
    assert sys.getswitchinterval() == interval


def test_a_callable_that_can_be_pickled() -> None:
    found = probe_in_child(time.sleep, args=(1e-3,), seconds=0.1)
    assert found.verdict in LETS_GO
    assert found.name == "time.sleep"
    assert probe_in_child(partial(spin, released=1e-3), args=(0,), seconds=0.1).verdict in LETS_GO


def test_a_call_that_never_returns_is_stopped() -> None:
    """Whatever it does: asleep, computing with the GIL, or computing in bytecode."""
    for text in ("time.sleep(1000)", "spin(1000)", "while True: pass"):
        found = probe_in_child(text, f"{SPIN}\nimport time", timeout=1)
        assert found.verdict == "inconclusive"
        assert found.why == "it had not returned after 1 s and was stopped"
        assert found.runs == found.witnesses == 0
        assert "had not returned" in str(found)


@pytest.mark.parametrize(
    ("text", "setup", "said"),
    [
        ("1 / 0", "pass", '<statement>", line 1, in <module>\nZeroDivisionError'),
        ("pass", "import no_such_module_at_all", '<setup>", line 1, in <module>\nModuleNotFoundError'),
        ("raise KeyboardInterrupt", "pass", "KeyboardInterrupt"),
        ("quit(3)", "pass", "SystemExit: 3"),
        ("import os; os._exit(9)", "pass", "the child process ended with status 9"),
        ("no_such_module_at_all:f", "pass", "ModuleNotFoundError"),
        ("math:no_such_name", "pass", "AttributeError"),
    ],
    ids=["statement", "setup", "interrupt", "exit", "death", "module", "name"],
)
def test_what_fails_says_why(text: str, setup: str, said: str) -> None:
    with pytest.raises(StatementError) as failed:
        probe_in_child(text, setup, seconds=0.05)
    assert said in str(failed.value)
    assert "gilfree/explore" not in str(failed.value).replace(os.sep, "/")  # none of our frames
