"""The fixture ``gil`` and the marker ``releases_gil``: tests that fail when a function stops letting go of the GIL."""

# Imports nothing but pytest: a test run that does not use it pays nothing.
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gilfree.explore.probe import Probe

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
        from gilfree.explore.probe import probe

        return probe(func, *args, **kwargs)

    def max_stall(self, func: Callable[..., object], /, *args: Any, **kwargs: Any) -> float:
        """The longest, in seconds, that ``func`` keeps others from the GIL; see ``gilfree.max_stall``."""
        from gilfree.explore.probe import max_stall

        return max_stall(func, *args, **kwargs)


@pytest.fixture(scope="session")
def gil() -> Gil:
    """Does it let go of the GIL? ``gil.assert_released(func, *args)``, ``gil.probe(...)``, ``gil.max_stall(...)``."""
    return Gil()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "releases_gil: fail unless the test's body lets go of the GIL by itself; the body is run more than once",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ask pytest-run-parallel, where it is there, to run these tests on one thread."""
    if not config.pluginmanager.hasplugin("run-parallel"):
        return
    for item in items:
        if "gil" in getattr(item, "fixturenames", ()) or item.get_closest_marker("releases_gil"):
            item.add_marker(pytest.mark.thread_unsafe(reason=_UNSAFE))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the body of a marked test under a witness, instead of plainly."""
    if pyfuncitem.get_closest_marker("releases_gil") is None:
        return None
    from gilfree.explore.probe import HeldError, assert_releases_gil

    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: value for name, value in pyfuncitem.funcargs.items() if name in wanted}
    try:
        assert_releases_gil(pyfuncitem.obj, **arguments)
    except HeldError as error:  # and no other: assertions of the body keep their traceback
        pytest.fail(str(error), pytrace=False)
    return True
