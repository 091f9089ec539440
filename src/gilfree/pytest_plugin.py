"""The fixture ``gil`` and the marker ``releases_gil``: tests that fail when a function stops letting go of the GIL."""

# Imports pytest and what that has imported anyway: a test run that does not use the plugin pays nothing.
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gilfree.explore.probe import Probe

_MARKER = (
    "releases_gil: fail unless the body of the test lets go of the GIL by itself. The body is run many times, between"
    " one set-up of its fixtures and one tear-down; its own failures and skips are those of a plain test. It should do"
    " no more than what is to be judged: printing and reading files let go of the GIL, too. Without a GIL it passes."
)
_WHOLE_BODY = (
    "The whole body of the test was judged. To judge one call: gil.assert_released(func, *args), with the fixture gil."
)
_UNSAFE = "the switch interval, which a probe changes, belongs to the whole process"


class Gil:
    """What the fixture ``gil`` is: ``gilfree``'s probe, with failures that say what to look at."""

    def assert_released(self, func: Callable[..., object], /, *args: Any, **kwargs: Any) -> None:
        """Fail unless ``func(*args, **kwargs)`` lets go of the GIL; see ``gilfree.assert_releases_gil``."""
        __tracebackhide__ = True
        from gilfree.explore.probe import assert_releases_gil

        assert_releases_gil(func, *args, **kwargs)

    def probe(self, func: Callable[..., object], /, *args: Any, **kwargs: Any) -> "Probe":
        """All that can be found out about ``func(*args, **kwargs)``; see ``gilfree.probe``."""
        __tracebackhide__ = True
        from gilfree.explore.probe import probe

        return probe(func, *args, **kwargs)

    def max_stall(self, func: Callable[..., object], /, *args: Any, **kwargs: Any) -> float:
        """The longest, in seconds, that ``func`` keeps others from the GIL; see ``gilfree.max_stall``."""
        __tracebackhide__ = True
        from gilfree.explore.probe import max_stall

        return max_stall(func, *args, **kwargs)


@pytest.fixture(scope="session")
def gil() -> Gil:
    """Does it let go of the GIL? ``gil.assert_released(func, *args)``, ``gil.probe(...)``, ``gil.max_stall(...)``."""
    return Gil()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


# --- pytest-run-parallel ---------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """In time for pytest-run-parallel up to 0.8.0, which decides in this hook."""
    _keep_to_one_thread(item)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In time for later ones, which decide after this hook, and with the markers that a conftest.py adds in it."""
    for item in items:
        _keep_to_one_thread(item)


def _keep_to_one_thread(item: pytest.Item) -> None:
    """Ask pytest-run-parallel, where it is there, to leave a test that probes alone."""
    if not hasattr(item.config.option, "parallel_threads"):
        return
    marked = item.get_closest_marker("releases_gil") is not None
    if marked or "gil" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.thread_unsafe(reason=_UNSAFE))
    if marked:
        # To run a body again it starts a thread and waits for that, which lets go of the GIL whatever the body does.
        item.add_marker(pytest.mark.iterations(1), append=False)


# --- the marker ------------------------------------------------------------------------------------------------------


# Not in pytest_pyfunc_call, where plugins for async functions may run them before anyone else is asked; and no wrapper,
# which would show in the tracebacks of unmarked tests.
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Have a marked test run under a witness, or fail where that would mean nothing."""
    marker = item.get_closest_marker("releases_gil")
    if marker is None:
        return
    why = _misplaced(marker, item)
    if why:
        pytest.fail(f"@pytest.mark.releases_gil {why}", pytrace=False)
    assert isinstance(item, pytest.Function)  # or it was misplaced
    vars(item)["runtest"] = functools.partial(_run_judged, item)


def _run_judged(item: pytest.Function) -> None:
    """What a marked test does in place of its ``runtest``."""
    del vars(item)["runtest"]
    body = item.obj
    item.obj = judged = _Judged(body)
    try:
        item.runtest()
    finally:
        item.obj = body
    if not judged.was_called:
        pytest.fail("@pytest.mark.releases_gil had no effect: another plugin ran the test its own way", pytrace=False)


def _misplaced(marker: pytest.Mark, item: pytest.Item) -> str:
    """Why a marked test cannot be judged, as the end of a sentence; nothing if it can."""
    from unittest import TestCase

    if marker.args or marker.kwargs:
        return "takes no arguments"
    if not isinstance(item, pytest.Function):
        return f"is for test functions and methods, and this is a {type(item).__name__}"
    function = inspect.unwrap(item.obj)
    lets_go = ""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        lets_go = "an async function: its event loop"
    elif getattr(item.obj, "is_hypothesis_test", False):
        lets_go = "a test of Hypothesis, which"
    elif item.cls is not None and issubclass(item.cls, TestCase):
        lets_go = "a method of unittest.TestCase, whose subtests are reported as it runs, which"
    elif "subtests" in item.fixturenames:
        lets_go = "a test with subtests: reporting them"
    if not lets_go:
        return ""
    return (
        f"cannot judge {lets_go} lets go of the GIL whatever the test does."
        " Call gilfree.assert_releases_gil(func, *args) in its body instead"
    )


class _Judged:
    """What pytest calls once in place of a test's body: the body, as often as it takes, under a witness."""

    def __init__(self, body: Callable[..., object]) -> None:
        functools.update_wrapper(self, body)
        self.body = body
        self.was_called = False
        self.returned: object = None

    def __call__(self, **fixtures: Any) -> object:
        from gilfree.explore.probe import HeldError, assert_releases_gil

        self.was_called = True

        @functools.wraps(self.body)
        def once() -> None:
            self.returned = self.body(**fixtures)

        try:
            assert_releases_gil(once)
        except HeldError as error:  # and no other: assertions of the body keep their traceback
            raise pytest.fail.Exception(f"{error}\n\n{_WHOLE_BODY}", pytrace=False) from None
        return self.returned  # pytest has its word on what is not None
