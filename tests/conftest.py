"""What all tests share: the backends they run on, and how Hypothesis draws its examples."""

from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

from gilfree import backends

# Runs pytest on files of a test's own, to see what gilfree's plugin makes of them. Only the outermost conftest may ask.
pytest_plugins = ["pytester", "selection"]

# The same examples on every run and every machine: a failure seen once can be seen again. `backend` is one name for
# all the examples of a test, so its being a fixture of function scope does no harm.
settings.register_profile(
    "gilfree",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("gilfree")


def pytest_configure(config: pytest.Config) -> None:
    # pytest-run-parallel knows this marker; without the plugin nobody does.
    config.addinivalue_line("markers", "thread_unsafe: changes something that the whole process shares")


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Where each test runs on several threads at once, one that starts another Python does not: it shares nothing."""
    code = getattr(getattr(item, "function", None), "__code__", None)
    if code is not None and {"child", "subprocess"} & set(code.co_names):
        item.add_marker(pytest.mark.thread_unsafe(reason="starts another Python"))


def _label(name: str) -> str:
    """The backend as test ids show it: compiled ones with the instruction set in force."""
    return f"{name}-{backends.isa()}" if name.startswith("cython") else name


# Plain Python takes longest and shares nothing between calls: two threads at once would show it if it did.
_FEWER_THREADS = pytest.mark.parallel_threads_limit(2)

# Of the cases of a test that are the same but for the backend, the short suite runs those of `cython`, and some of the
# others: the plain Python is what all are compared with, and a control has the machine code of the backend that it
# controls. Numba takes a second or two to compile a kernel for a dtype, and as long again for `numba-parallel`, whose
# loops are those of `numba`.
_FEW = {"python": 6, "cython-held": 3, "numba-held": 0, "numba": 5, "numba-parallel": 1}


def _marks(name: str) -> list[pytest.MarkDecorator]:
    marks = [_FEWER_THREADS] if name == "python" else []
    if name.startswith("numba") and find_spec("numba") is None:
        marks.append(pytest.mark.few(1, of=name))  # says that it is missing
    elif name in _FEW:
        marks.append(pytest.mark.few(_FEW[name], of=name))
    return marks


_PARAMETERS = [pytest.param(name, marks=_marks(name)) for name in backends.BACKENDS]


@pytest.fixture(params=_PARAMETERS, ids=[_label(name) for name in backends.BACKENDS])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend in turn; skipped, saying why, where it is missing."""
    name: str = request.param
    why = backends.missing(name)
    if why:
        pytest.skip(why)
    return name
