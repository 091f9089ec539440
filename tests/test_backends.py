"""The backends: which there are, which is meant, and that each keeps its promise about the GIL."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import child
import pytest
from calls import KERNELS

import gilfree
from gilfree import backends, interpreter, parallel
from gilfree.explore.probe import LETS_GO, measure
from gilfree.pytest_plugin import Gil

NAMES = ["python", "cython-held", "cython", "numba-held", "numba", "numba-parallel"]
DOORS = {
    "primes": [
        *("is_prime", "adjacent_prime", "factor", "sieve", "mark", "test", "extract"),
        *("tabulate", "ordinary_leaves", "easy_leaves", "hard_leaves"),
    ],
    "reductions": [
        *("sum_integer", "sum_real", "prod_integer", "prod_real", "prod_complex"),
        *("min_integer", "max_integer", "min_real", "max_real", "minmax_integer", "minmax_real", "argmin", "argmax"),
        *("variance", "any", "all", "count_nonzero", "nansum", "nanmean", "nanmin", "nanmax"),
        *("dot_integer", "dot_real", "dot_complex", "fsum", "fsum_words"),
        *("join_sum", "join_prod", "join_prod_complex", "join_variance", "join_arg", "join_fsum"),
    ],
    "pixels": [
        *("grayscale", "threshold", "histogram", "extent", "histogram_real"),
        *("histograms", "extents", "histograms_real", "sums_below", "smooth", "best_splits"),
        *("grayscale_histogram", "binarize", "windows", "weighted"),
        *("count_runs", "find_runs", "unite_runs", "unite_bands", "paint_runs"),
    ],
}


# --- which there are -------------------------------------------------------------------------------------------------


def test_rows() -> None:
    assert list(backends.BACKENDS) == NAMES
    assert all(name == row.name for name, row in backends.BACKENDS.items())
    released = [row.name for row in backends.BACKENDS.values() if row.releases]
    assert released == ["cython", "numba", "numba-parallel"]


@pytest.mark.parametrize("family", DOORS)
def test_every_backend_has_every_door(backend: str, family: str) -> None:
    doors = backends.kernels(family, backend)
    assert doors is backends.kernels(family, backend)
    for name in DOORS[family]:
        assert callable(getattr(doors, name))


def test_no_such_door(backend: str) -> None:
    with pytest.raises(AttributeError):
        _ = backends.kernels("primes", backend).no_such_door


# --- which is meant --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KERNELS)
def test_unknown_backends_refused(name: str) -> None:
    call = KERNELS[name](1)
    expected = "expected one of python, cython-held, cython, numba-held, numba, numba-parallel"
    with pytest.raises(ValueError, match=f"backend: got 'fortran', {expected}"):
        call(backend="fortran")
    with pytest.raises(TypeError, match=f"backend: got int, {expected}"):
        call(backend=3)


def test_unknown_backends_refused_by_use() -> None:
    for bad, error in (("Cython", ValueError), ("", ValueError), (b"cython", TypeError)):
        with pytest.raises(error, match="backend: got"), gilfree.use(backend=bad):  # type: ignore[arg-type]
            pass


@pytest.mark.parametrize(
    ("absent", "expected"),
    [((), "cython"), (("cython",), "numba"), (("cython", "numba"), "python")],
    ids=["all", "no-cython", "no-numba-either"],
)
def test_the_best_is_the_default(absent: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "missing", lambda name: "it is not" if name in absent else None)
    assert backends._best.__wrapped__() == expected


NO_NUMBA = "import sys; sys.modules['numba'] = None\nfrom gilfree import backends, reductions\n"


def test_a_missing_numba_is_an_error_that_says_what_to_install() -> None:
    done = child.python(NO_NUMBA + "reductions.sum([1], backend='numba')")
    assert done.returncode == 1
    assert "ModuleNotFoundError: backend 'numba' is not available: Numba cannot be imported" in done.stderr
    assert "pip install 'gilfree[numba]'" in done.stderr
    assert child.output(NO_NUMBA + "print(backends.resolve().name, reductions.sum([1, 2]))") == "cython 3"


def test_a_missing_numba_is_no_silent_fallback_from_the_environment() -> None:
    done = child.python(NO_NUMBA + "reductions.sum([1])", GILFREE_BACKEND="numba-parallel")
    assert done.returncode == 1
    assert "backend 'numba-parallel' is not available" in done.stderr


def test_missing_compiled_modules() -> None:
    code = "import sys; sys.modules['gilfree._cpu'] = None\nfrom gilfree import backends\n"
    done = child.python(code + "backends.resolve('cython')")
    assert "ModuleNotFoundError: backend 'cython' is not available: the compiled modules cannot be" in done.stderr
    assert "C compiler" in done.stderr
    assert child.output(code + "print(backends._PREFERRED[0], backends.resolve().name != 'cython')") == "cython True"


NAME = "import gilfree; from gilfree import backends; print(backends.resolve().name)"


@pytest.mark.parametrize("name", ["python", "cython-held", "cython"])
def test_environment_backend(name: str) -> None:
    assert child.output(NAME, GILFREE_BACKEND=name) == name
    assert child.output("import gilfree\nwith gilfree.use(backend='python'): " + NAME, GILFREE_BACKEND=name) == "python"


def test_environment_backend_unset() -> None:
    assert child.output(NAME) == child.output(NAME, GILFREE_BACKEND="") == "cython"


def test_environment_backend_refused() -> None:
    """When it is used, not when gilfree is imported."""
    done = child.python(NAME, GILFREE_BACKEND="fortran")
    assert done.returncode == 1
    assert "ValueError: GILFREE_BACKEND: got 'fortran', expected one of python, cython-held," in done.stderr
    assert "in resolve" in done.stderr


def test_numba_keeps_each_version_under_a_name_of_its_own(tmp_path: Path) -> None:
    """Its cache is keyed by name: of two with one name, one would be handed the code that keeps the GIL."""
    names = ("numba-held", "numba")
    if missing := next(filter(None, map(backends.missing, names)), None):
        pytest.skip(missing)
    code = f"""
from gilfree import primes
for name in {names}:
    primes.is_prime([2**61 - 1, 10**6 + 3], backend=name)
"""
    child.output(code, NUMBA_CACHE_DIR=str(tmp_path))
    loops = sorted(index.name.split("-")[0] for index in tmp_path.rglob("*.nbi") if "is_prime" in index.name)
    assert loops == ["_numba.is_prime_numba", "_numba.is_prime_numba_held"]


# --- which instruction set -------------------------------------------------------------------------------------------

ISA = "from gilfree import backends; print(backends.isa(), backends.kernels('primes', 'cython').__name__)"


def test_isas() -> None:
    usable = backends.isas()
    assert usable  # not all of them in a build for this machine alone
    assert set(usable) <= {"avx512", "avx2", "baseline"}
    assert list(usable) == [name for name in ("avx512", "avx2", "baseline") if name in usable]
    assert backends.isa() in usable


def test_a_build_for_another_processor_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an IndexError, and not kernels that end the process."""
    monkeypatch.setattr(backends, "isas", tuple)
    why = backends.missing.__wrapped__("cython")
    assert why is not None
    assert "compiled for instruction sets that this processor lacks" in why


def test_the_best_instruction_set_is_the_default() -> None:
    best = backends.isas()[0]
    assert child.output(ISA) == child.output(ISA, GILFREE_ISA="") == f"{best} gilfree.primes._cython_{best}"


@pytest.mark.parametrize("isa", backends.isas())
def test_environment_isa(isa: str) -> None:
    assert child.output(ISA, GILFREE_ISA=isa) == f"{isa} gilfree.primes._cython_{isa}"


@pytest.mark.parametrize("isa", ["sse9", "AVX2", "neon"])
def test_environment_isa_refused(isa: str) -> None:
    done = child.python(ISA, GILFREE_ISA=isa)
    assert done.returncode == 1
    assert f"ValueError: GILFREE_ISA: got {isa!r}, expected one of {', '.join(backends.isas())}" in done.stderr
    assert "in isa" in done.stderr


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, (2**15, 2**19), id="nobody-says"),
        pytest.param({"index0": ("1", "Data", "48K"), "index2": ("2", "Unified", "2048K")}, (49152, 2**21), id="data"),
        pytest.param({"index0": ("1", "Instruction", "64K")}, (2**15, 2**19), id="instructions-alone"),
        pytest.param({"index0": ("1", "Data", ""), "index1": ("2", "Unified", "1M")}, (2**15, 2**19), id="unreadable"),
        pytest.param({"index0": ("1", "Data", None)}, (2**15, 2**19), id="no-size"),
    ],
)
def test_cache_sizes(tmp_path: Path, files: dict[str, tuple[str | None, ...]], expected: tuple[int, int]) -> None:
    for index, contents in files.items():
        (tmp_path / index).mkdir()
        for name, content in zip(("level", "type", "size"), contents, strict=True):
            if content is not None:
                (tmp_path / index / name).write_text(content + "\n")
    assert tuple(backends.cache_size.__wrapped__(level, tmp_path) for level in (1, 2)) == expected


def test_both_cython_backends_run_the_same_machine_code() -> None:
    """The control is the same function, not a copy: only a flag differs."""
    for family in DOORS:
        assert backends.kernels(family, "cython") is backends.kernels(family, "cython-held")


# --- the promise about the GIL ---------------------------------------------------------------------------------------


def doors_of(call: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], object]]:
    """Each door that a call of a public kernel goes through, ready to be called again without the front end.

    The front end works with NumPy, which lets go of the GIL too, even to make an array: what the backend promises is
    told by the door alone.
    """
    found: dict[str, Callable[[], object]] = {}
    run = parallel.run
    call()  # what is made once, the first time, is too quick for another thread to wake up meanwhile

    def noted(backend: Any, door: Callable[..., bool], *buffers: Any, **how: Any) -> Any:
        own = how.get("private", tuple)()
        found[door.__name__] = partial(run, backend, door, *buffers, **{**how, "private": lambda: own})
        return run(backend, door, *buffers, **how)

    with monkeypatch.context() as patch:
        patch.setattr(parallel, "run", noted)
        call()
    return found


# nth_prime goes through the doors of count_primes, prev_prime through that of next_prime.
@pytest.mark.thread_unsafe(reason="the switch interval belongs to the process")
@pytest.mark.most({"cython-held": 16, "numba-held": 4, "numba": 10, "numba-parallel": 4})
@pytest.mark.parametrize("name", [name for name in KERNELS if name not in ("nth_prime", "prev_prime")])
def test_promise_about_the_gil(backend: str, name: str, gil: Gil, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads run during a call of a backend that releases, and never during one of a backend that holds."""
    row = backends.BACKENDS[backend]
    call = partial(KERNELS[name](2_000 if row.slowness > 1 else 60_000), backend=backend, threads=1)
    doors = doors_of(call, monkeypatch)
    assert doors
    if row.releases or not interpreter.gil_enabled():  # where there is no GIL, none can be kept
        gil.assert_released(call)
        for door in doors.values():
            gil.assert_released(door)
    else:
        for door in doors.values():
            # Hundreds of knocks: a door that lets go is free for nearly all of its time, and the first one tells.
            found = measure(door, seconds=0.1)
            assert found.verdict not in LETS_GO, found


NO_CACHE = """
import sys, warnings
import numba.core.caching
from gilfree import backends, cli, primes, reductions
def nowhere(self):
    raise OSError("read-only")
numba.core.caching._CacheLocator.ensure_cache_path = nowhere
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for backend in ("numba", "numba-held"):
        print(reductions.sum([1, 2], backend=backend), reductions.max([1, 2], backend=backend))
print([(one.category.__name__, "NUMBA_CACHE_DIR" in str(one.message)) for one in seen])
sys.exit(cli.main(["info"]))
"""


def test_numba_without_a_folder_for_its_cache() -> None:
    """As in a read-only installation without a home: it compiles in each process, which a warning says once."""
    pytest.importorskip("numba")
    first, second, warned, *info = child.output(NO_CACHE).splitlines()
    assert [first, second] == ["3 2", "3 2"]
    assert warned == "[('RuntimeWarning', True)]"
    assert any("numba-parallel" in line for line in info)


SWITCHED_OFF = """
from gilfree import backends, reductions
print(backends.resolve().name, reductions.sum([1, 2]))
for call in (
    lambda: reductions.sum([1, 2], backend="numba"),
    lambda: reductions.reduce(lambda a, b: a + b, [1, 2], 0),
):
    try:
        call()
    except ModuleNotFoundError as error:
        print("NUMBA_DISABLE_JIT" in str(error))
print(reductions.reduce(lambda a, b: a + b, [1, 2], 0, backend="python"))
"""


def test_numba_switched_off() -> None:
    """Its backends are missing then, and the message says why."""
    pytest.importorskip("numba")
    assert child.output(SWITCHED_OFF, NUMBA_DISABLE_JIT="1").split() == ["cython", "3", "True", "True", "3"]
