"""The pytest plugin, seen from outside: pytest is run on small files, and what it says of them is looked at."""

import re
from collections.abc import Callable
from importlib.metadata import entry_points

import pytest

from gilfree import interpreter

pytestmark = [
    pytest.mark.thread_unsafe(reason="each test runs pytest in a folder that it changes to"),
    pytest.mark.clocks,
]
needs_gil = pytest.mark.skipif(not interpreter.gil_enabled(), reason="without a GIL nothing can hold it")

# Where gilfree is not installed but only found, nothing tells pytest of its plugin.
INSTALLED = any(point.value == "gilfree.pytest_plugin" for point in entry_points(group="pytest11"))
WORDS = ["-p", "no:cacheprovider", "--strict-markers", "-W", "error"]
# Installed or not, they take no part but where they are the subject: they change what is printed, and take their time.
OTHERS = {"hypothesispytest", "randomly", "run-parallel"}

# For tests of what holds the GIL: looking for a witness, and for evidence of the contrary, for less long than usual.
IMPATIENT = """
from functools import partial

import pytest

@pytest.fixture
def impatient():
    from gilfree.explore import probe
    usual = probe.PATIENCE, probe.measure
    probe.PATIENCE, probe.measure = 0.1, partial(probe.measure, seconds=0.2)
    yield
    probe.PATIENCE, probe.measure = usual
"""

# What a failure tells people to look at, for each verdict that fails. Which one it is may hang on the machine's load.
HINTS = {
    "holds": ("`with nogil:`", "nogil=True", "`noexcept`", "object touched inside"),
    "holds-blocked": ("Py_BEGIN_ALLOW_THREADS",),
    "yields": ("bytecode",),
    "inconclusive": ("cannot tell",),
}

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a process of its own, with some words, on files of given names, and with one of OTHERS."""
    monkeypatch.setenv("COLUMNS", "200")  # the summary has a line for each failure, and cuts what is longer
    if interpreter.free_threaded_build():  # as it is here, whatever switched it
        monkeypatch.setenv("PYTHON_GIL", str(int(interpreter.gil_enabled())))

    def run(*words: str, use: str = "", **files: str) -> pytest.RunResult:
        for name, code in files.items():
            pytester.makepyfile(**{name: code})
        plugins = [f"no:{name}" for name in sorted(OTHERS - {use})] + ([] if INSTALLED else ["gilfree.pytest_plugin"])
        words = (*WORDS, *(word for plugin in plugins for word in ("-p", plugin)), *words)
        return pytester.runpytest_subprocess(*words, timeout=300)

    return run


def failure(result: pytest.RunResult, test: str) -> str:
    """What pytest printed of a test that failed, below its name."""
    return result.stdout.str().split(f"_ {test} _", 1)[1].split("\n", 1)[1].split("\n____")[0].split("\n====")[0]


# --- what passes and what fails --------------------------------------------------------------------------------------

FAILS_LATER = """
import time
import pytest
from gilfree._heartbeat import spin

calls = []

def fails_later():
    calls.append(1)
    assert len(calls) < 3, "my own"
"""
BY_FIXTURE = """
def test_releases(gil):
    gil.assert_released(spin, 0.0, released=0.01)

def test_holds(gil, impatient):
    gil.assert_released(spin, 0.01)  # the culprit

def test_fails_by_itself(gil):
    gil.assert_released(fails_later)

def test_probe(gil):
    assert gil.probe(time.sleep, 0.001).name == "time.sleep"

def test_max_stall(gil):
    assert gil.max_stall(time.sleep, 0.001) >= 0
"""
BY_MARKER = """
@pytest.mark.releases_gil
def test_releases():
    spin(0.0, released=0.01)

@pytest.mark.releases_gil
@pytest.mark.usefixtures("impatient")
class Test:
    @pytest.mark.parametrize("held", [0.01])
    def test_holds(self, held):
        spin(held)

@pytest.mark.releases_gil
def test_empty(impatient):
    pass

@pytest.mark.releases_gil
@pytest.mark.xfail(strict=True)
def test_expected(impatient):
    spin(0.01)

@pytest.mark.releases_gil
def test_fails_by_itself():
    fails_later()
"""


def assert_explained(text: str) -> None:
    """A failure says what the verdict is, what it rests on, and what to look at."""
    assert "the GIL was" in text
    verdict = re.search(r"verdict +(\S+)\n", text)
    assert verdict, text
    assert all(hint in text for hint in HINTS[verdict[1]]), text
    assert re.search(r"why +\w+ \w+", text), text
    assert re.search(r"witnesses +0 of \d+ runs\n", text), text


def assert_no_strangers(result: pytest.RunResult) -> None:
    """No line of a traceback is gilfree's own, and no exception came in the way of another."""
    for stranger in ("probe.py", "heartbeat.pyx", "pytest_plugin.py", "During handling", "direct cause", "are hidden"):
        assert stranger not in result.stdout.str()


@needs_gil
def test_fixture(run: Run) -> None:
    result = run("--showlocals", conftest=IMPATIENT, test_it=FAILS_LATER + BY_FIXTURE)
    result.assert_outcomes(passed=3, failed=2)
    held = failure(result, "test_holds")
    assert_explained(held)
    assert ">       gil.assert_released(spin, 0.01)  # the culprit" in held
    own = failure(result, "test_fails_by_itself")
    assert 'assert len(calls) < 3, "my own"' in own
    assert "AssertionError: my own" in own
    assert "not released" not in own
    assert_no_strangers(result)


@needs_gil
def test_marker(run: Run) -> None:
    result = run("--showlocals", conftest=IMPATIENT, test_it=FAILS_LATER + BY_MARKER)
    result.assert_outcomes(passed=1, failed=3, xfailed=1)
    assert_explained(failure(result, "Test.test_holds[0.01]"))
    assert_explained(failure(result, "test_empty"))
    own = failure(result, "test_fails_by_itself")
    assert ">       fails_later()" in own
    assert 'assert len(calls) < 3, "my own"' in own
    assert "not released" not in own
    assert_no_strangers(result)


def test_without_a_gil_all_pass(run: Run) -> None:
    """There is none to hold; bodies are still run, so that their own assertions count."""
    conftest = "from gilfree import interpreter\n\ninterpreter.gil_enabled = lambda: False\n"
    code = """
import pytest
from gilfree._heartbeat import spin

def test_fixture(gil):
    gil.assert_released(spin, 0.001)

@pytest.mark.releases_gil
def test_marker():
    spin(0.001)

@pytest.mark.releases_gil
def test_own_assertion():
    assert not "mine"
"""
    result = run(conftest=conftest, test_it=code)
    result.assert_outcomes(passed=2, failed=1)
    assert "assert not 'mine'" in failure(result, "test_own_assertion")


# --- a marked test is a test -----------------------------------------------------------------------------------------

PLAIN = """
import time
import unittest
import pytest

runs = 0

def check(right):
    global runs
    runs += 1
    time.sleep(0.001)  # lets go
    assert right

@pytest.fixture
def yes():
    return True

@pytest.fixture
def broken():
    raise OSError("the disk")

@pytest.fixture
def broken_later():
    yield
    raise OSError("the other disk")

def test_passes(yes):
    check(yes)

def test_asserts():
    check(right=False)

@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("unused", "ab")
def test_parameters(unused, right):
    check(right)

class TestMethods:
    right = False

    def setup_method(self):
        self.right = True

    def test_passes(self, yes):
        check(yes and self.right)

    @staticmethod
    def test_static(yes):
        check(yes)

    @classmethod
    def test_class(cls):
        check(cls.right)

def test_raises():
    check(right=True)
    raise ValueError("bad")

def test_raises_from():
    check(right=True)
    try:
        raise KeyError("cause")
    except KeyError as error:
        raise ValueError("bad") from error

def test_fails():
    check(right=True)
    pytest.fail("no good")

def test_fails_without_traceback():
    pytest.fail("no good", pytrace=False)

def test_skips():
    check(right=True)
    pytest.skip("not today")

def test_skips_as_unittest():
    raise unittest.SkipTest("not this year")

def test_cannot_import():
    pytest.importorskip("no_such_module")

@pytest.mark.skip(reason="never")
def test_skipped():
    check(right=False)

def test_gives_up():
    check(right=True)
    pytest.xfail("not yet")

@pytest.mark.xfail
def test_expected():
    check(right=False)

@pytest.mark.xfail(raises=AssertionError, strict=True)
def test_expected_kind():
    check(right=False)

@pytest.mark.xfail(raises=KeyError)
def test_unexpected_kind():
    check(right=False)

@pytest.mark.xfail(run=False)
def test_expected_not_run():
    check(right=False)

@pytest.mark.xfail(strict=False)
def test_unexpected():
    check(right=True)

@pytest.mark.xfail(strict=True)
def test_strictly_unexpected():
    check(right=True)

@pytest.mark.filterwarnings("default")
def test_returns():
    check(right=True)
    return 1

def test_broken(broken):
    check(right=True)

def test_broken_later(broken_later):
    check(right=True)

def test_exits():
    raise SystemExit(3)
"""
ALL_MARKED = """
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker("releases_gil")

def pytest_terminal_summary(terminalreporter):
    import test_it
    terminalreporter.write_line(f"body runs: {test_it.runs}")
"""


def test_like_a_plain_test(run: Run) -> None:
    """Outcomes, tracebacks and reasons are those of the same file without the marker, word for word."""

    def seen(result: pytest.RunResult) -> list[str]:
        lines = [re.sub(r" in \d+\.\d+s", "", line) for line in result.outlines]
        return [line for line in lines if "body runs:" not in line]

    plain = run("-rA", test_it=PLAIN)
    assert plain.parseoutcomes()["passed"] > 5
    assert plain.parseoutcomes()["failed"] > 5
    marked = run("-rA", conftest=ALL_MARKED)
    assert seen(marked) == seen(plain)
    # And they were marked: once is enough only where there is no GIL.
    runs = re.search(r"body runs: (\d+)", marked.stdout.str())
    assert runs
    assert int(runs[1]) > 50 or not interpreter.gil_enabled()


@needs_gil
def test_fixtures_are_set_up_once(run: Run) -> None:
    code = """
import time
import pytest

log = []

@pytest.fixture
def number():
    log.append("up")
    yield 7
    log.append("down")

@pytest.mark.releases_gil
def test_marked(number):
    log.append(number)
    time.sleep(0.001)

def test_log():
    up, *body, down = log
    assert (up, down) == ("up", "down")
    assert set(body) == {7}
    assert len(body) > 1
"""
    run(test_it=code).assert_outcomes(passed=2)


def test_help_says_that_the_body_is_run_many_times(run: Run) -> None:
    run("--markers").stdout.fnmatch_lines(["@pytest.mark.releases_gil: *The body is run many times*"])
    run("--fixtures").stdout.fnmatch_lines(["gil *session scope*", "*gil.assert_released(func*"])


# --- what cannot be judged -------------------------------------------------------------------------------------------

# Test by test, what the failure says. Without it these would pass, or have the marker ignored, whatever they do.
MISPLACED = {
    "test_async": "cannot judge an async function",
    "test_async_generator": "cannot judge an async function",
    "test_hidden_async": "cannot judge an async function",
    "Test::test_async_method": "cannot judge an async function",
    "TestCase::test_method": "cannot judge a method of unittest.TestCase",
    "test_subtests": "cannot judge a test with subtests",
    "test_hypothesis": "cannot judge a test of Hypothesis",
    "test_arguments": "takes no arguments",
    "test_taken_over": "had no effect",
    "test_it.documented": "is for test functions and methods, and this is a DoctestItem",
}
MISPLACED_CODE = """
import asyncio
import functools
import unittest
import pytest
from gilfree._heartbeat import spin
from hypothesis import given, strategies

pytestmark = pytest.mark.releases_gil

async def test_async():
    await asyncio.sleep(0.001)

async def test_async_generator():
    yield

def synchronous(function):
    @functools.wraps(function)
    def wrapper():
        asyncio.run(function())
    return wrapper

@synchronous
async def test_hidden_async():
    await asyncio.sleep(0.001)

class Test:
    async def test_async_method(self):
        await asyncio.sleep(0.001)

class TestCase(unittest.TestCase):
    def test_method(self):
        with self.subTest():
            spin(0.001)

def test_subtests(subtests):
    with subtests.test():
        spin(0.001)

@given(strategies.integers())
def test_hypothesis(n):
    spin(0.001)

@pytest.mark.releases_gil(0.5)
def test_arguments():
    spin(0.0, 0.001)

def test_taken_over():
    spin(0.001)

def documented():
    '''
    >>> 1 + 1
    2
    '''
"""
# As pytest-asyncio and anyio do with async functions, and some other plugin with another test.
TAKES_OVER = """
import asyncio
import inspect
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        asyncio.run(pyfuncitem.obj(**pyfuncitem.funcargs))
        return True
    if pyfuncitem.name == "test_taken_over":
        return True
"""


def test_what_cannot_be_judged_fails(run: Run) -> None:
    result = run("--doctest-modules", "-rA", use="hypothesispytest", conftest=TAKES_OVER, test_it=MISPLACED_CODE)
    result.assert_outcomes(failed=len(MISPLACED))
    for test, why in MISPLACED.items():
        result.stdout.fnmatch_lines_random([f"FAILED test_it.py::{test} - Failed: @pytest.mark.releases_gil {why}*"])
    assert_no_strangers(result)


def test_a_probe_in_a_marked_test(run: Run) -> None:
    """It cannot be probed, and says so."""
    code = """
import time
import pytest

@pytest.mark.releases_gil
def test_it(gil):
    gil.assert_released(time.sleep, 0.001)
"""
    result = run(test_it=code)
    result.assert_outcomes(failed=1)
    assert "RuntimeError: a probe is already running" in failure(result, "test_it")


# --- start-up --------------------------------------------------------------------------------------------------------


def test_costs_nothing_when_not_used(run: Run) -> None:
    """Nothing compiled is imported, nor NumPy, nor anything of gilfree's but the plugin."""
    code = """
import sys

def test_plain():
    pass

def test_modules():
    found = {name for name in sys.modules if name.split(".")[0] in ("gilfree", "numpy")}
    assert found == {"gilfree", "gilfree.pytest_plugin"}
"""
    run(test_it=code).assert_outcomes(passed=2)


@pytest.mark.skipif(not INSTALLED, reason="gilfree is not installed here, so it has no entry points")
def test_is_found_by_pytest(run: Run) -> None:
    run("--trace-config", "-q").stdout.fnmatch_lines(["PLUGIN registered: <module 'gilfree.pytest_plugin' *>"])


# --- other plugins ---------------------------------------------------------------------------------------------------

FOUR = """
import pytest
from gilfree._heartbeat import spin

def test_fixture_releases(gil):
    gil.assert_released(spin, 0.0, 0.01)

def test_fixture_holds(gil, impatient):
    gil.assert_released(spin, 0.01)

@pytest.mark.releases_gil
def test_marker_releases():
    spin(0.0, 0.01)

@pytest.mark.releases_gil
def test_marker_holds(impatient):
    spin(0.01)
"""


@needs_gil
def test_with_xdist(run: Run) -> None:
    pytest.importorskip("xdist")
    result = run("-n", "2", conftest=IMPATIENT, test_it=FOUR)
    result.assert_outcomes(passed=2, failed=2)
    assert_explained(failure(result, "test_fixture_holds"))
    assert_explained(failure(result, "test_marker_holds"))
    assert_no_strangers(result)


@needs_gil
def test_with_run_parallel(run: Run) -> None:
    """Its threads are waited for, which lets go of the GIL: that must not pass for the body's doing."""
    pytest.importorskip("pytest_run_parallel")
    words = ("--parallel-threads=4", "--iterations=2")
    result = run(*words, use="run-parallel", conftest=IMPATIENT, test_it=FOUR)
    result.assert_outcomes(passed=2, failed=2)
    assert_explained(failure(result, "test_fixture_holds"))
    assert_explained(failure(result, "test_marker_holds"))


def test_run_parallel_uses_one_thread_for_tests_that_probe(run: Run) -> None:
    """And four for the others of the same file. Those wait for each other, so each has its own name."""
    pytest.importorskip("pytest_run_parallel")
    code = """
import threading
import time
import pytest

used = {}

def note(test):
    used.setdefault(test, set()).add(threading.get_ident())

def test_plain():
    note("plain")

def test_fixture(gil):
    note("fixture")
    gil.assert_released(time.sleep, 0.001)

@pytest.fixture
def released(gil):
    return gil.assert_released

def test_indirect(released):
    note("indirect")
    released(time.sleep, 0.001)

@pytest.mark.releases_gil
def test_marked():
    note("marked")
    time.sleep(0.001)

def test_marked_by_conftest():
    note("marked by conftest")
    time.sleep(0.001)

@pytest.mark.thread_unsafe
def test_used():
    one = {threading.main_thread().ident}
    assert len(used.pop("plain")) == 4
    assert used == dict.fromkeys(("fixture", "indirect", "marked", "marked by conftest"), one)
"""
    conftest = """
def pytest_collection_modifyitems(items):
    for item in items:
        if item.name == "test_marked_by_conftest":
            item.add_marker("releases_gil")
"""
    result = run("--parallel-threads=4", use="run-parallel", conftest=conftest, test_it=code)
    result.assert_outcomes(passed=6)
