"""The instruments: workloads, measurements, what is made of them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judge import assert_same_bits

from gilfree import backends, parallel
from gilfree.explore import machine, record, scaling, workloads
from gilfree.explore.probe import LETS_GO, Probe
from gilfree.explore.record import Record, Run

MACHINE = {"python": "3.13.0", "gil_enabled": True, "cpu": "a CPU", "cpus": 4, "isa": "avx2"}


def made_up(*speedups: tuple[str, int, float], gil: bool = True, ceiling: dict[int, float] | None = None) -> Run:
    """A run of one kernel in which each backend took a second on one thread."""
    run = Run({**MACHINE, "gil_enabled": gil}, {"sum": ceiling or {1: 1.0, 2: 1.98}})
    for backend, threads, speedup in speedups:
        run.records.append(Record("sum", backend, "threads", threads, 1000, [1 / speedup, 1.02 / speedup], speedup))
    return run


def probed(verdict: str, share: float) -> Probe:
    """A probe that found this."""
    return Probe(
        "a call", verdict, "because", 4 if share else 0, 5, share, (share, share), 1 / (1 - share), 1e-3,
        {"p50": 1e-3, "p90": 2e-3, "p99": 3e-3, "max": 4e-3}, 5e-3, None, 0.01, 1, 1.0, 0,
    )  # fmt: skip


# --- workloads -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", workloads.KERNELS)
def test_parts_make_up_the_whole(kernel: str) -> None:
    job = workloads.Workload(kernel, 3000)
    whole = job.data()
    parts = [job.data(part, 3) for part in range(3)]
    if kernel == "count_primes":
        assert sum(job.call(part) for part in parts) == job.call(whole) == 127
    elif kernel == "primerange":
        assert_same_bits(np.concatenate([job.call(part) for part in parts]), job.call(whole))
    elif kernel == "nth_prime":
        assert job.call(whole) == 27449
        assert parts == [495] * 3  # a third of the work
    else:
        sizes = [len(part[0]) if isinstance(part, tuple) else len(part) for part in parts]
        assert sizes == [1000, 1000, 1000]
    assert_same_bits(np.array(job.call(whole)), np.array(job.call(job.data())))  # the same data every time


def test_every_public_kernel_is_in_the_catalogue() -> None:
    from gilfree import pixels, primes, reductions

    # One number is one thread's work, prev_prime is next_prime backwards, iter_primes is primerange in windows.
    rest = {"factorint", "prev_prime", "iter_primes"}
    # Each of these runs at the pace of another reduction, which is in the catalogue.
    rest |= {"prod", "mean", "nansum", "nanmean"}  # sum
    rest |= {"nanmin", "nanmax", "argmax", "std"}  # min, max, argmin, var
    rest |= {"any", "all", "count_nonzero"}  # a look at each number, as min; the first two stop where they may
    rest |= {"reduce", "check_associative"}  # the user's own function, and a check of it
    # Sums over the window around each pixel: at the pace of adaptive_threshold, formulas of them at threshold_sauvola's.
    rest |= {"adaptive_threshold", "threshold_local", "threshold_niblack", "threshold_sauvola", "threshold_wolf"}
    rest |= {"threshold_nick", "threshold_bradley", "threshold_phansalkar", "threshold_singh"}
    rest |= {"binarize", "binarize_files"}  # made of the others; and files, whose reading and writing are Pillow's work
    assert set(workloads.KERNELS) | rest == {*primes.__all__, *reductions.__all__, *pixels.__all__}


@pytest.mark.thread_unsafe
def test_an_array_of_the_users(tmp_path: Path) -> None:
    folds = {name for name, row in workloads.KERNELS.items() if row.family == "reductions"}
    path = str(tmp_path / "numbers.npy")
    np.save(path, np.arange(24, dtype=np.int32).reshape(4, 6))
    jobs = {job.kernel: job for job in workloads.workloads(array=path)}
    assert set(jobs) == {"is_prime", "next_prime", *folds}
    assert jobs["sum"].size == 24
    assert jobs["sum"].unit == "int32"
    assert jobs["sum"].call(jobs["sum"].data()) == 276
    assert jobs["sum"].call(jobs["sum"].data(1, 2)) == sum(range(12, 24))
    np.save(path, np.array([3, 2**64 - 59], np.uint64))  # the last prime has no next
    assert {job.kernel for job in workloads.workloads(array=path)} == {"is_prime", *folds}
    np.save(path, np.arange(4.0))
    assert {job.kernel for job in workloads.workloads(array=path)} == folds


@pytest.mark.thread_unsafe
@pytest.mark.parametrize(
    ("mode", "dtype", "kernels"),
    [
        ("RGB", np.uint8, {"grayscale", "threshold", "threshold_otsu"}),
        ("RGBA", np.uint8, {"grayscale", "threshold", "threshold_otsu"}),
        ("L", np.uint8, {"threshold", "threshold_otsu"}),
        ("I;16", np.uint16, {"threshold", "threshold_otsu"}),
    ],
)
def test_a_picture_of_the_users(tmp_path: Path, mode: str, dtype: type, kernels: set[str]) -> None:
    image = pytest.importorskip("PIL.Image")
    path = str(tmp_path / "picture.png")
    image.new(mode, (20, 30), 7 if mode in {"L", "I;16"} else (7, 7, 7)).save(path)
    jobs = {job.kernel: job for job in workloads.workloads(image=path)}
    assert set(jobs) == kernels
    otsu = jobs["threshold_otsu"]
    assert otsu.size == 600
    assert otsu.data().dtype == dtype
    assert otsu.call(otsu.data()) == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kernels": ["median"]}, "kernel: got 'median'"),
        ({"size": 0}, "size: got 0"),
    ],
)
def test_bad_workloads(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        workloads.workloads(**arguments)


# --- measuring -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "counts"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 4]), (6, [1, 2, 4, 6])])
def test_thread_counts(most: int, counts: list[int]) -> None:
    assert scaling.thread_counts(most) == counts


@pytest.mark.thread_unsafe
def test_measure() -> None:
    names = [name for name in backends.BACKENDS if backends.missing(name) is None]
    seen: list[float] = []
    run = scaling.measure(
        [workloads.Workload("max", 300_000), workloads.Workload("count_primes", 10**6)],
        threads=[2],
        seconds=0,
        rounds=3,
        progress=lambda _, share: seen.append(share),
    )
    assert run.kernels() == ["max", "count_primes"]
    for kernel in run.kernels():
        assert set(run.ceiling[kernel]) == {1, 2}
        assert run.ceiling[kernel][1] == 1.0
        assert set(run.verdicts) == {"max", "count_primes"}
        assert list(run.probes[kernel]) == names
        for name in names:
            probe = run.probes[kernel][name]
            assert probe.name == f"{kernel}, {name}"
            if backends.BACKENDS[name].releases or not run.machine["gil_enabled"]:
                assert probe.verdict in LETS_GO
            one, two = run.find(kernel, name, 1), run.find(kernel, name, 2)
            assert one is not None
            assert len(one.seconds) == 3
            assert one.speedup == 1.0
            if two is not None:  # Numba's own threads cannot outnumber the CPUs
                assert two.speedup == one.best / two.best
                assert two.engine == ("numba" if name == "numba-parallel" else "threads")
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    numba = {name for name in names if name.startswith("numba")}
    assert set(run.compile_seconds["max"]) == numba


@pytest.mark.thread_unsafe
def test_more_threads_than_cpus_are_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cpu_count", lambda: 1)
    run = scaling.measure([workloads.Workload("min", 1000)], ["python"], [2], seconds=0, rounds=1)
    assert "2 threads on 1 CPUs" in run.warnings[0]
    assert any("runs under 1 ms" in line for line in run.warnings)


# --- what it means ---------------------------------------------------------------------------------------------------

BOTH = [("cython-held", 1, 1.0), ("cython", 1, 1.0)]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.96)),
            "threads scale only when the GIL is released: yes, cython 1.96 of 1.98, its control 1.00",
        ),
        (made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.1)), "released: no, cython 1.10 of 1.98"),
        (made_up(*BOTH, ("cython-held", 2, 1.8), ("cython", 2, 1.9)), "released: doubtful"),
        (made_up(*BOTH, ("cython", 2, 1.9)), "without its control"),
        (
            made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.05), ceiling={1: 1.0, 2: 1.1}),
            "cannot tell: the machine itself gains too little from 2 CPUs",
        ),
        (
            made_up(*BOTH, ("cython-held", 2, 1.9), ("cython", 2, 1.9), gil=False),
            "threads scale, held or released: this Python runs without a GIL",
        ),
        (
            Run(
                MACHINE,
                {"sum": {1: 1.0, 2: 1.9}},
                [Record("sum", "cython", "threads", n, 10, [2e-4], 1.1) for n in (1, 2)],
            ),
            "cannot tell: runs of 200 µs are too short to share",
        ),
        (made_up(("python", 1, 1.0), ("python", 2, 1.0)), "cannot tell: no backend that releases the GIL"),
        (made_up(*BOTH, ceiling={1: 1.0}), "cannot tell: only one thread was measured"),
        (
            made_up(("numba-held", 2, 1.0), ("numba", 2, 1.9)),
            "threads scale only when the GIL is released: yes, numba 1.90",
        ),
    ],
    ids=[
        "yes",
        "no",
        "doubtful",
        "no-control",
        "no-ceiling",
        "no-gil",
        "too-short",
        "held-only",
        "one-thread",
        "numba",
    ],
)
def test_verdict(run: Run, said: str) -> None:
    assert said in scaling.verdict(run, "sum")


@pytest.mark.parametrize(
    ("backend", "probe", "said"),
    [
        ("cython", probed("releases", 0.97), []),
        ("cython-held", probed("holds", 0.0), []),
        ("cython-held", probed("partial", 0.01), []),  # NumPy lets go for moments, in the front end
        ("cython-held", probed("partial", 0.3), ["sum: cython-held should hold the GIL, and leaves it free for 30%"]),
        ("cython", probed("holds", 0.0), ["sum: cython should let go of the GIL, and the probe says holds: because"]),
    ],
    ids=["released", "held", "held-nearly-always", "held-no-more", "released-no-more"],
)
def test_broken_promises_are_told(backend: str, probe: Probe, said: list[str]) -> None:
    run = made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.96))
    run.probes["sum"] = {backend: probe}
    found = [line for line in scaling._doubts(run, "sum") if "should" in line]
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))
    run.machine = {**MACHINE, "gil_enabled": False}
    assert not [line for line in scaling._doubts(run, "sum") if "should" in line]


# --- records ---------------------------------------------------------------------------------------------------------


def test_best_and_spread() -> None:
    row = Record("sum", "cython", "threads", 1, 10, [2.0, 1.0, 1.5], 1.0)
    assert row.best == 1.0
    assert row.spread == 0.5


@pytest.mark.thread_unsafe
def test_a_run_survives_the_disk(tmp_path: Path) -> None:
    run = made_up(*BOTH, ("cython", 2, 1.9))
    run.probes["sum"] = {"cython": probed("releases", 0.9)}
    path = tmp_path / "new" / "run.json"
    record.save(run, path)
    assert record.load(path) == run
    assert [entry.name for entry in path.parent.iterdir()] == ["run.json"]


@pytest.mark.thread_unsafe
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"records": 3}', '{"records": [], "ceiling": {}}'])
def test_something_else_on_the_disk(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="expected the JSON of a gilfree benchmark"):
        record.load(path)


@pytest.mark.thread_unsafe
def test_no_run_overwrites_another(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        path = record.default_path(tmp_path)
        path.touch()
        names.append(path.stem)
    assert names == [names[0], names[0] + "-2", names[0] + "-3"]
    assert machine.info()["python"] in names[0]


# --- table and picture -----------------------------------------------------------------------------------------------


def test_durations_have_three_digits() -> None:
    table = pytest.importorskip("gilfree.explore.table")
    shown = [table.duration(seconds) for seconds in (2.5, 0.0123, 0.00123, 45e-6, 3e-9)]
    assert shown == ["2.50 s", "12.3 ms", "1.23 ms", "45.0 µs", "3.00 ns"]


def test_a_table_tells_how_free_the_gil_is() -> None:
    table = pytest.importorskip("gilfree.explore.table")
    assert table.proof(None) == "–"
    shown = [
        table.proof(probed(*found))
        for found in (("releases", 0.999), ("releases", 0.973), ("partial", 1e-4), ("holds", 0.0))
    ]
    assert shown == ["releases 99%", "releases 97%", "partial 0%", "holds"]


@pytest.mark.thread_unsafe
@pytest.mark.parametrize("counts", [[1], [1, 2], [1, 2, 4, 8]], ids=str)
def test_a_table_fits_its_terminal(counts: list[int]) -> None:
    console = pytest.importorskip("rich.console")
    from gilfree.explore import table

    run = Run(MACHINE, units={name: row.unit for name, row in workloads.KERNELS.items()})
    for kernel in workloads.KERNELS:
        run.ceiling[kernel] = {count: float(count) for count in counts}
        run.probes[kernel] = {}
        for name, row in backends.BACKENDS.items():
            share = 0.97 if row.releases else 0.001
            run.probes[kernel][name] = probed("releases" if row.releases else "partial", share)
            run.records += [Record(kernel, name, "threads", n, 48 * 10**6, [0.123456 / n], float(n)) for n in counts]
    terminal = console.Console(width=100 if len(counts) > 3 else 80, record=True, file=io.StringIO())
    terminal.print(table.build(run))
    text = terminal.export_text()
    assert "…" not in text
    assert text.count("releases 97%") == 3 * len(workloads.KERNELS)
    assert text.count("partial 0%") == 3 * len(workloads.KERNELS)


@pytest.mark.thread_unsafe
def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from gilfree.explore import plot

    run = made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.96))
    run.probes["sum"] = {"cython": probed("releases", 0.9), "cython-held": probed("holds", 0.0)}
    run.probes["min"] = {"cython": probed("releases", 0.97)}
    first, again, pixels = tmp_path / "a.svg", tmp_path / "b.svg", tmp_path / "c.png"
    plot.save(run, first, pixels)
    plot.save(run, again)
    assert first.read_bytes() == again.read_bytes()
    text = first.read_text(encoding="utf-8")
    for word in ("cython-held: GIL free 0%", "cython: GIL free 90% to 97%", "ceiling", "speed-up over one thread"):
        assert word in text
    assert pixels.read_bytes().startswith(b"\x89PNG")
