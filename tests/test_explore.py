"""The instruments: workloads, measurements, what is made of them."""

import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judge import assert_same_bits

from gilfree import backends, cli, parallel
from gilfree.explore import machine, record, scaling, workloads
from gilfree.explore.probe import LETS_GO, Probe
from gilfree.explore.record import Gain, Memory, Record, Run

MACHINE = {"python": "3.13.0", "gil_enabled": True, "cpu": "a CPU", "cpus": 4, "isa": "avx2"}


def gain(value: float, spread: float = 0.01) -> Gain:
    """A gain that was measured this well."""
    return Gain(value, value - spread, value + spread)


def timed(backend: str, threads: int, speedup: float, kernel: str = "sum") -> Record:
    """A backend that took a second on one thread."""
    return Record(kernel, backend, "threads", threads, 1000, [1 / speedup, 1.02 / speedup], gain(speedup))


def made_up(
    *speedups: tuple[str, int, float],
    gil: bool = True,
    ceiling: dict[int, float] | None = None,
    memory: Memory | None = None,
) -> Run:
    """A run of one kernel in which each backend took a second on one thread."""
    ceilings = {count: gain(value) for count, value in (ceiling or {1: 1.0, 2: 1.98}).items()}
    run = Run({**MACHINE, "gil_enabled": gil}, {"sum": ceilings})
    run.records += [timed(*row) for row in speedups]
    if memory is not None:
        run.memory["sum"] = memory
    return run


def measured(kernels: Iterable[str], counts: list[int]) -> Run:
    """A run of kernels on all backends, with all that may be found about them."""
    run = Run(MACHINE, units={name: workloads.KERNELS[name].unit for name in kernels})
    for kernel in kernels:
        run.ceiling[kernel] = {count: gain(float(count)) for count in counts}
        run.memory[kernel] = Memory(
            10**9, True, 0.0, {n: 2e10 * n for n in counts}, {n: gain(float(n)) for n in counts}
        )
        run.probes[kernel] = {}
        for name, row in backends.BACKENDS.items():
            share = 0.97 if row.releases else 0.02
            run.probes[kernel][name] = probed("releases" if row.releases else "partial", share)
            run.records += [
                Record(kernel, name, "threads", n, 48 * 10**6, [0.123456 / n], gain(float(n))) for n in counts
            ]
    return run


def reads(one: float, two: float, moved: float = 20e9, *, written: bool = False) -> Memory:
    """Threads that read so many GB/s, where the kernel moves so many bytes in a call."""
    return Memory(round(moved), written, 1.0, {1: one * 1e9, 2: two * 1e9}, {1: gain(1.0), 2: gain(two / one)})


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
    rest |= {"binarize_files"}  # whose reading and writing are Pillow's work
    # binarize, by Sauvola's threshold: all of these are made of the same sums over windows.
    rest |= {f"threshold_{name}" for name in ("niblack", "sauvola", "wolf", "nick", "bradley", "phansalkar", "singh")}
    rest |= {"threshold_local", "adaptive_threshold"}
    # threshold_otsu: a count of levels, and a formula over the counts; a sum over pixels; a few such sums.
    rest |= {"histogram", "threshold_isodata", "threshold_minimum", "threshold_multiotsu", "threshold_triangle"}
    rest |= {"threshold_yen", "threshold_mean", "threshold_li"}
    rest |= {"apply_hysteresis_threshold"}  # what it takes is decided by the picture, pixel for pixel
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
        ("RGB", np.uint8, {"grayscale", "threshold", "threshold_otsu", "binarize"}),
        ("RGBA", np.uint8, {"grayscale", "threshold", "threshold_otsu", "binarize"}),
        ("L", np.uint8, {"threshold", "threshold_otsu", "binarize"}),
        ("I;16", np.uint16, {"threshold", "threshold_otsu", "binarize"}),
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
        assert run.ceiling[kernel][1].value == 1.0
        assert set(run.verdicts) == {"max", "count_primes"}
        assert list(run.probes[kernel]) == names
        for name in names:
            probe = run.probes[kernel][name]
            assert probe.name == f"{kernel}, {name}"
            if backends.BACKENDS[name].releases or not run.machine["gil_enabled"]:
                assert probe.verdict in LETS_GO
            one, two = run.find(kernel, name, 1), run.find(kernel, name, 2)
            assert one is not None
            assert len(one.seconds) >= 3
            assert one.speedup == 1.0
            if two is not None:  # Numba's own threads cannot outnumber the CPUs
                assert two.gain == Gain.of(one.seconds, two.seconds)
                assert len(two.seconds) == len(one.seconds)
                assert two.engine == ("numba" if name == "numba-parallel" else "threads")
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    numba = {name for name in names if name.startswith("numba")}
    assert set(run.compile_seconds["max"]) == numba
    assert "count_primes" not in run.memory  # which has none to read
    if backends.missing("cython") is None:
        assert run.memory["max"].moved == 2_400_000
        assert run.memory["max"].read.keys() == {1, 2}
        assert not run.memory["max"].written


@pytest.mark.thread_unsafe
def test_more_threads_than_cpus_are_doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cpu_count", lambda: 1)
    monkeypatch.setattr(scaling, "DOUBTFUL_SECONDS", math.inf)  # however long this takes where others run
    run = scaling.measure([workloads.Workload("min", 1000)], ["python"], [2], seconds=0, rounds=1)
    assert "2 threads on 1 CPUs" in run.warnings["threads"][0]
    assert run.warnings["short"] == ["min, python × 1", "min, python × 2"]
    said = scaling.doubts(run)
    assert len(said) == len(run.warnings)
    assert "Runs under 1 ms say little (--size): min, python × 1, and 1 more." in said
    run.warnings.clear()
    monkeypatch.setattr(scaling, "DOUBTFUL_SECONDS", 0.0)
    scaling._doubt(run, "min")
    assert "short" not in run.warnings


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([2.0], [1.0], Gain(2.0, 2.0, 2.0)),
        ([2.0, 3.0, 8.0], [1.0, 1.0, 2.0], Gain(3.0, 2.0, 4.0)),  # the extremes: three cannot tell more
        # Of 20 tosses at most five are heads in 2.1 % of all cases: the sixth to the fifteenth.
        ([float(n) for n in range(1, 21)], [1.0] * 20, Gain(10.5, 6.0, 15.0)),
        ([float(n) for n in range(1, 7)], [1.0] * 6, Gain(3.5, 1.0, 6.0)),
    ],
    ids=["one", "three", "twenty", "six"],
)
def test_gains_are_medians_of_pairs(before: list[float], after: list[float], expected: Gain) -> None:
    assert Gain.of(before, after) == expected
    assert Gain.of(before[::-1], after[::-1]) == expected


def test_rounds_go_to_those_that_had_the_least_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that is 50 times as slow as another takes no rounds away from it."""

    class Allowed:
        def __init__(self, *_: object) -> None: ...

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None: ...

        def time(self, count: int) -> float:
            return 1.0 / count

    clock = [0.0]

    def call(_workload: object, _data: object, name: str, count: int) -> float:
        took = {"python": 0.5, "cython": 0.01}[name] / count
        clock[0] += took
        return took

    monkeypatch.setattr(scaling, "Processes", Allowed)
    monkeypatch.setattr(scaling, "timed", call)
    monkeypatch.setattr("gilfree.explore.scaling.time.perf_counter", lambda: clock[0])
    run = scaling.measure([workloads.Workload("count_primes", 1000)], ["python", "cython"], [2], seconds=20)
    slow, fast = run.find("count_primes", "python", 2), run.find("count_primes", "cython", 2)
    assert slow is not None
    assert fast is not None
    assert 10 <= len(slow.seconds) <= 20
    assert len(fast.seconds) > 300
    assert fast.gain == Gain(2.0, 2.0, 2.0)
    assert run.ceiling["count_primes"][2] == Gain(2.0, 2.0, 2.0)


def test_pages_of_memory(tmp_path: Path) -> None:
    maps = tmp_path / "smaps"
    maps.write_text(
        "7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \nSize:               4096 kB\nAnonHugePages:      3072 kB\n"
        "7f0000800000-7f0000801000 rw-p 00000000 00:00 0 \nSize:                  4 kB\nAnonHugePages:         0 kB\n"
    )
    assert machine.huge_pages(0x7F0000000000, maps) == 0.75
    assert machine.huge_pages(0x7F00003FFFFF, maps) == 0.75
    assert machine.huge_pages(0x7F0000800010, maps) == 0.0
    assert machine.huge_pages(0x7F0000400000, maps) is None
    assert machine.huge_pages(0, tmp_path / "none") is None


def test_reading_reads_all_of_it_on_any_number_of_threads() -> None:
    if backends.missing("cython"):
        pytest.skip("no compiled modules")
    from gilfree import _cpu
    from gilfree._tickets import Tickets
    from gilfree.explore.ceiling import Reading

    words = np.arange(1000, dtype=np.uint64)
    chunks = Tickets(1000, 300)
    assert _cpu.read_words(words, chunks, 3, True)
    assert chunks.left == 100
    assert not _cpu.read_words(words, chunks, -1, False)
    reading = Reading(np.zeros((1001, 3), np.uint8), 4004)
    assert reading.written
    assert reading.bytes == 3000
    assert reading.time(1) > 0 < reading.time(2)


# --- what it means ---------------------------------------------------------------------------------------------------

BOTH = [("cython-held", 1, 1.0), ("cython", 1, 1.0)]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.96)),
            "yes. Released, two threads are 1.96 times one (this machine allows 1.98); held, 1.00.",
        ),
        (made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.1)), "no. Released, two threads are 1.10 times one"),
        (made_up(*BOTH, ("cython-held", 2, 1.8), ("cython", 2, 1.9)), "doubtful. Released, two threads are 1.90"),
        (made_up(*BOTH, ("cython", 2, 1.9)), "; no control was measured."),
        (
            made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.05), ceiling={1: 1.0, 2: 1.1}),
            "cannot tell: the machine itself gains too little from two CPUs. Two threads are 1.05 times one",
        ),
        (
            made_up(*BOTH, ("cython-held", 2, 1.9), ("cython", 2, 1.9), gil=False),
            "threads scale, held or released: this Python runs without a GIL. Two threads are 1.90 times one",
        ),
        (
            Run(
                MACHINE,
                {"sum": {1: gain(1.0), 2: gain(1.9)}},
                records=[Record("sum", "cython", "threads", n, 10, [2e-4], gain(1.1)) for n in (1, 2)],
            ),
            "cannot tell: runs of 200 µs are too short to share",
        ),
        (made_up(("python", 1, 1.0), ("python", 2, 1.0)), "cannot tell: no backend that releases the GIL"),
        (made_up(*BOTH, ceiling={1: 1.0}), "cannot tell: only one thread was measured"),
        (
            made_up(("numba-held", 2, 1.0), ("numba", 2, 1.9)),
            "yes. Released, two threads are 1.90 times one",
        ),
        (
            made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.5), memory=reads(22, 31)),
            "by memory, not by the GIL: two threads read 30 of the 31 GB/s there are, 1.50 times one; held, 1.00.",
        ),
        (
            made_up(*BOTH, ("cython", 2, 1.5), memory=reads(22, 31, written=True)),
            "two threads move 30 of the 31 GB/s there are, 1.50 times one; no control was measured.",
        ),
        (
            made_up(*BOTH, ("cython-held", 2, 1.5), ("cython", 2, 1.5), memory=reads(22, 31)),
            "doubtful. It is limited by memory, not by the GIL",
        ),
        (
            made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.9), memory=reads(100, 190)),
            "yes. Released, two threads are 1.90 times one",
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
        "memory",
        "memory-moved",
        "memory-doubtful",
        "memory-far",
    ],
)
def test_verdict(run: Run, said: str) -> None:
    found = scaling.verdict(run, "sum")
    assert said in found
    assert found.endswith(".")


def test_the_lower_ceiling_counts() -> None:
    run = made_up(*BOTH, ("cython", 2, 1.5), memory=reads(22, 30))  # 20 GB in a second on one thread
    record = run.find("sum", "cython", 2)
    assert record is not None
    assert scaling.share_of_ceiling(run, record) == pytest.approx(1.5 / (30 / 20), rel=0.02)
    del run.memory["sum"]
    assert scaling.share_of_ceiling(run, record) == pytest.approx(1.5 / 1.98)


@pytest.mark.parametrize(
    ("backend", "probe", "said"),
    [
        ("cython", probed("releases", 0.97), []),
        ("cython-held", probed("holds", 0.0), []),
        ("cython-held", probed("partial", 0.01), []),  # NumPy lets go for moments, in the front end
        ("cython-held", probed("partial", 0.3), ["sum: cython-held should hold the GIL, and leaves it free for 30%"]),
        ("cython", probed("holds", 0.0), ["sum: cython should release the GIL, and the probe says holds: because"]),
    ],
    ids=["released", "held", "held-nearly-always", "held-no-more", "released-no-more"],
)
def test_broken_promises_are_told(backend: str, probe: Probe, said: list[str]) -> None:
    run = made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.96))
    run.probes["sum"] = {backend: probe}
    scaling._doubt(run, "sum")
    found = run.warnings.pop("promise", [])
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))
    run.machine = {**MACHINE, "gil_enabled": False}
    scaling._doubt(run, "sum")
    assert "promise" not in run.warnings


# --- records ---------------------------------------------------------------------------------------------------------


def test_best_and_spread() -> None:
    row = Record("sum", "cython", "threads", 1, 10, [2.0, 1.0, 1.5], gain(1.0))
    assert row.best == 1.0
    assert row.spread == 0.5


@pytest.mark.thread_unsafe
def test_a_run_survives_the_disk(tmp_path: Path) -> None:
    run = made_up(*BOTH, ("cython", 2, 1.9), memory=reads(20, 30))
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
    # NumPy's moments in the front end are not the kernel's.
    assert shown == ["releases 99%", "releases 97%", "holds", "holds"]
    assert table.proof(probed("partial", 0.02)) == "partial 2%"


@pytest.mark.thread_unsafe
@pytest.mark.parametrize("counts", [[1], [1, 2], [1, 2, 4, 8]], ids=str)
def test_a_table_fits_its_terminal(counts: list[int]) -> None:
    console = pytest.importorskip("rich.console")
    from gilfree.explore import table

    run = measured(workloads.KERNELS, counts)
    terminal = console.Console(width=100 if len(counts) > 3 else 80, record=True, file=io.StringIO())
    terminal.print(table.build(run))
    text = terminal.export_text()
    assert "…" not in text
    assert text.count("releases 97%") == 3 * len(workloads.KERNELS)
    assert text.count("partial 2%") == 3 * len(workloads.KERNELS)
    assert text.count("4 KiB pages") == len(workloads.KERNELS) * (len(counts) >= 1)


@pytest.mark.thread_unsafe
def test_the_headlines_fit_a_screen() -> None:
    console = pytest.importorskip("rich.console")
    run = measured(workloads.HEADLINES, [1, 2])
    run.machine = {**MACHINE, "cpu": "12th Gen Intel(R) Core(TM) i7-12700H", "cpus": 20}
    run.took = {"data and answers": 30.0, "probing": 10.0, "measuring": 30.0}
    run.compile_seconds = {kernel: {"numba": 9.5} for kernel in workloads.HEADLINES}
    for kernel in workloads.HEADLINES:
        run.verdicts[kernel] = scaling.verdict(run, kernel)
        scaling._doubt(run, kernel)
    run.warnings |= {"noise": [], "short": ["sum, numba-parallel × 2", "sum, numba × 2"]}
    terminal = console.Console(width=80, force_terminal=True, record=True, file=io.StringIO())
    cli._show(run, terminal)
    lines = terminal.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 40  # and one for the files that are written
    assert any(line.startswith("Took: ") for line in lines)


@pytest.mark.thread_unsafe
def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from gilfree.explore import plot

    run = made_up(*BOTH, ("cython-held", 2, 1.0), ("cython", 2, 1.96))
    run.probes["sum"] = {"cython": probed("releases", 0.9), "cython-held": probed("holds", 0.0)}
    run.probes["min"] = {"cython": probed("releases", 0.97)}
    run.memory["sum"] = reads(20, 30)
    first, again, pixels = tmp_path / "a.svg", tmp_path / "b.svg", tmp_path / "c.png"
    plot.save(run, first, pixels)
    plot.save(run, again)
    assert first.read_bytes() == again.read_bytes()
    text = first.read_text(encoding="utf-8")
    for word in (
        "cython-held: GIL free 0%",
        "cython: GIL free 90% to 97%",
        "the ceiling",
        "times as fast as one thread",
    ):
        assert word in text
    png = pixels.read_bytes()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[20:24], "big") <= 900  # pixels high


@pytest.mark.parametrize(
    ("kernels", "rows"),
    [
        (["is_prime", "sum", "binarize"], [3]),
        (list(workloads.KERNELS), [5, 5, 3, 4]),  # primes; reductions, which are eight; pixels
        (["sum"], [1]),
    ],
    ids=["headlines", "all", "one"],
)
def test_panels_go_by_family(kernels: list[str], rows: list[int]) -> None:
    from gilfree.explore.plot import _grid

    assert [len(row) for row in _grid(kernels)] == rows
    assert [kernel for row in _grid(kernels) for kernel in row] == kernels
