"""The part of peers.py that is about gilfree.reductions: the ratios, the axes, the roofline, the busy thread."""

import math
import os
import statistics
import threading
import time
import timeit
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gilfree import backends, reductions
from gilfree.explore import machine

NUMBERS = ("float64", "float32", "int64", "int32", "int16", "uint8")
ALL = (*NUMBERS, "bool")
FLOATS = ("float64", "float32")
WIDE = ("float64", "float32", "int64", "int32")  # also all that Bottleneck and numexpr have loops for

# function → dtypes
FUNCTIONS = {
    "sum": ALL,
    "prod": (*WIDE, "uint8"),
    "min": ALL,
    "max": ALL,
    "minmax": NUMBERS,
    "argmin": NUMBERS,
    "argmax": NUMBERS,
    "mean": NUMBERS,
    "var": NUMBERS,
    "std": FLOATS,
    "any": ALL,
    "all": ALL,
    "count_nonzero": ALL,
    "dot": WIDE,
    "nansum": FLOATS,
    "nanmin": FLOATS,
    "nanmax": FLOATS,
    "nanmean": FLOATS,
    "fsum": ("float64",),
}

# peer → function → what a user would write, of the array x (and y), its Polars series s and its PyArrow array a.
NUMPY = {name: f"np.{name}(x)" for name in FUNCTIONS} | {"minmax": "np.min(x), np.max(x)", "dot": "np.dot(x, y)"}
NUMPY.pop("fsum")
NAN = {name: f"bn.nan{name}(x)" for name in ("sum", "min", "max", "argmin", "argmax", "mean", "var", "std")}
PEERS: dict[str, dict[str, str]] = {
    "NumPy": NUMPY,
    # It has only functions that pass over NaN.
    "Bottleneck": NAN
    | {"minmax": "bn.nanmin(x), bn.nanmax(x)"}
    | {name: f"bn.{name}(x)" for name in ("nansum", "nanmin", "nanmax", "nanmean")},
    "numexpr": {name: f"ne.evaluate('{name}(x)')" for name in ("sum", "prod", "min", "max")}
    | {"dot": "ne.evaluate('sum(x * y)')", "count_nonzero": "ne.evaluate('sum(where(x != 0, 1, 0))')"},
    "Polars": {
        "sum": "s.sum()",
        "prod": "s.product()",
        "min": "s.min()",
        "max": "s.max()",
        "minmax": "s.min(), s.max()",
        "argmin": "s.arg_min()",
        "argmax": "s.arg_max()",
        "mean": "s.mean()",
        "var": "s.var(ddof=0)",
        "std": "s.std(ddof=0)",
        "any": "s.any()",
        "all": "s.all()",
        "count_nonzero": "(s != 0).sum()",
        "dot": "s.dot(t)",
        "nanmin": "s.min()",
        "nanmax": "s.max()",
    },
    "streamed": {name: f"f.select(pl.col('x').{name}()).collect(engine='streaming')" for name in ("sum", "min", "max")},
    "PyArrow": {
        "sum": "pc.sum(a)",
        "prod": "pc.product(a)",
        "min": "pc.min(a)",
        "max": "pc.max(a)",
        "minmax": "pc.min_max(a)",
        "mean": "pc.mean(a)",
        "var": "pc.variance(a)",
        "std": "pc.stddev(a)",
        "any": "pc.any(a)",
        "all": "pc.all(a)",
    },
    "Numba": {name: f"nb.{name}(x)" for name in FUNCTIONS if name != "fsum"} | {"dot": "nb.dot(x, y)"},
    "math": {"fsum": "math.fsum(few)"},
}
MODULES = {
    "Bottleneck": ("bn", "bottleneck"),
    "numexpr": ("ne", "numexpr"),
    "Polars": ("pl", "polars"),
    "PyArrow": ("pc", "pyarrow.compute"),
    "Numba": ("nb", "pranges"),
}
# What a peer refuses, although it has the function and other functions of the dtype.
LACKING = {("numexpr", "min", "int32"), ("numexpr", "max", "int32"), ("Polars", "count_nonzero", "bool")}
FEW = 10**5  # elements that math.fsum gets of a larger array; its time is scaled

SIZES = tuple(10**power for power in (0, 2, 3, 4, 5, 6, 7, 8))
QUICK = {"sizes": (1, 10**3, 10**5, 10**7), "dtypes": ("float64", "uint8"), "seconds": 0.03}
SECONDS = 0.1  # for a row
# From here on, what it costs to make a call hardly counts, and bytes a second say something about the loop.
MEGABYTE = 10**6
# The simplest that reads every byte, a load and an `or` or `+` a word: over all of it; over parts so small that no
# thread is asked for and nothing is prepared; with Numba. The fastest is the machine's speed.
READS = ("reductions.any(zeros)", "for part in parts: reductions.any(part)", "nb.sum(zeros)")
PART = 2**16
SHAPES = ((1000, 1000), (10000, 1000), (100, 100), (100, 200, 300))
ALONG = {"sum": "nansum", "min": "nanmin", "mean": "nanmean", "var": "nanvar", "any": None, "argmin": "nanargmin"}
BESIDE = (10**8, 10**6, 10**4)
FOLDED = f"""
Columns of peers: their time over gilfree's, so that above 1 gilfree is faster; all are called in turn. GB/s counts the
bytes of the input. Of read: the share of the machine's speed for as many bytes, which is that of the fastest of three
plain loops over zeros (`any` over all, `any` over parts of 512 KiB, Numba's `+`), called in the same turns; from
{MEGABYTE // 10**6} MB up. The data leave no way out before the end: `any` looks at zeros, `all` at ones; half of what
count_nonzero sees is zero, and a hundredth of what the nan functions see is NaN. Bottleneck has only functions that
pass over NaN; it, NumPy (but for dot) and numexpr use one thread for a whole array. So do Polars and PyArrow, but
"streamed", which is the engine of Polars that uses all. math.fsum gets at most {FEW} elements, and its time is scaled.
"""


class Row(NamedTuple):
    """What was measured of one function, dtype and size, in seconds a call."""

    isa: str
    threads: int
    function: str
    dtype: str
    size: int
    bytes: int
    ours: float
    read: float | None  # the machine
    peers: dict[str, float]

    @property
    def best(self) -> str | None:
        """The fastest peer."""
        return min(self.peers, key=self.peers.__getitem__, default=None)

    @property
    def share(self) -> float | None:
        """Of the machine's speed."""
        return None if self.read is None else self.read / self.ours


# --- how they are timed ----------------------------------------------------------------------------------------------


class Racer:
    """An expression, called so often between two looks at the clock that the clock does not matter."""

    def __init__(self, expression: str, names: dict[str, Any], factor: float = 1.0, least: float = 2e-3) -> None:
        self.timer = timeit.Timer(expression, globals=names)
        self.factor = factor
        self.timer.timeit(1)  # compiles, imports, wakes
        self.number, took = 1, self.timer.timeit(1)
        while took < least and self.number < 10**6:
            self.number = math.ceil(self.number * min(10.0, 1.2 * least / max(took, 1e-9)))
            took = self.timer.timeit(self.number)
        self.best = took / self.number

    def go(self) -> None:
        self.best = min(self.best, self.timer.timeit(self.number) / self.number)


def race(racers: dict[str, Racer], seconds: float) -> dict[str, float]:
    """Best time of each, called in turn for about so many seconds, three times unless that takes long."""
    began = time.perf_counter()
    rounds, took = 0, 0.0
    while took < seconds or (rounds < 3 and took < 10 * seconds):
        for racer in racers.values():
            racer.go()
        rounds, took = rounds + 1, time.perf_counter() - began
    return {name: racer.best * racer.factor for name, racer in racers.items()}


@cache
def names() -> dict[str, Any]:
    """The modules that expressions use, as far as they are installed; says once what is missing."""
    found: dict[str, Any] = {"np": np, "math": math, "reductions": reductions}
    for peer, (name, module) in MODULES.items():
        try:
            found[name] = import_module(module)
        except ImportError:
            print(f"{peer} is not installed: left out")
    if "pc" in found:
        found["pa"] = import_module("pyarrow")
        found["pa"].set_cpu_count(threads_here())
    if "ne" in found:
        found["ne"].set_num_threads(threads_here())
    if "nb" in found:
        import_module("numba").set_num_threads(threads_here())
    return found


def has(peer: str, function: str, dtype: str) -> bool:
    """Whether a peer has a loop for it."""
    if function not in PEERS[peer] or (peer in MODULES and MODULES[peer][0] not in names()):
        return False
    if (peer, function, dtype) in LACKING:
        return False
    if peer in ("Bottleneck", "numexpr"):
        return dtype in WIDE
    if peer in ("Polars", "PyArrow") and function in ("any", "all"):
        return dtype == "bool"
    if peer == "streamed":
        return "pl" in names() and threads_here() > 1
    return True


def threads_here() -> int:
    return int(os.environ["GILFREE_NUM_THREADS"])


# --- what they are given ---------------------------------------------------------------------------------------------


@cache
def zeros(bytes: int) -> Any:
    """Written to, since pages that nobody has written to are all the same page."""
    return np.full(-(-bytes // 8), 0, np.int64)


def data(kind: str, dtype: str, size: int, seed: int = 0) -> Any:
    """An array that a function is to fold; what repeats after a million elements no peer remembers."""
    if kind in ("zeros", "ones"):
        return np.full(size, kind == "ones", dtype)
    rng = np.random.default_rng(seed)
    few = min(size, 10**6)
    if dtype in FLOATS:
        block = rng.standard_normal(few).astype(dtype)
    elif dtype == "bool":
        block = rng.integers(0, 2, few, np.uint8).astype(bool)
    else:
        low, high = (0, 256) if dtype == "uint8" else (-30000, 30000)
        block = rng.integers(low, high, few, dtype)
    if kind == "factors" and dtype in FLOATS:
        block = np.exp(block / 1000)  # so that no product leaves the range, nor comes near its ends
        block[1::2] = 1 / block[::2][: block[1::2].size]
    if kind == "half":
        block[rng.random(few) < 0.5] = 0
    if kind == "holes":
        block[1:][rng.random(few - 1) < 0.01] = np.nan
    return np.resize(block, size)


def kind_of(function: str) -> str:
    if function.startswith("nan"):
        return "holes"
    return {"any": "zeros", "all": "ones", "count_nonzero": "half", "prod": "factors", "dot": "pair"}.get(
        function, "plain"
    )


class Wares:
    """An array in all the forms that peers take, for one kind of data at a time: the largest ones are large."""

    def __init__(self, kind: str, dtype: str, most: int) -> None:
        self.x = data(kind, dtype, most)
        self.y = data(kind, dtype, most, 1) if kind == "pair" else self.x
        modules = names()
        self.series, self.other, self.arrow = None, None, None
        if "pl" in modules:
            self.series = modules["pl"].Series("x", self.x)
            self.other = modules["pl"].Series(self.y) if kind == "pair" else self.series
        if "pa" in modules:
            self.arrow = modules["pa"].array(self.x)

    def names(self, size: int) -> dict[str, Any]:
        found = names() | {"x": self.x[:size], "y": self.y[:size], "few": self.x[: min(size, FEW)]}
        if self.series is not None:
            found |= {"s": self.series[:size], "t": self.other[:size], "f": self.series[:size].to_frame().lazy()}
        if self.arrow is not None:
            found |= {"a": self.arrow[:size]}
        return found


# --- the table -------------------------------------------------------------------------------------------------------


def table(options: Namespace) -> Iterator[Row]:
    """One row a function, dtype and size, printed as it comes."""
    peers = [name for name in PEERS if name != "math" and any(has(name, f, "float64") for f in PEERS[name])]
    print(f"\n  {'':<24}{'size':>6}{'a call':>12}{'GB/s':>8}{'of read':>9}{''.join(f'{name:>12}' for name in peers)}")
    for dtype in options.dtypes:
        wanted = [name for name in options.functions if dtype in FUNCTIONS[name]]
        kinds: dict[str, list[str]] = {}
        for function in wanted:
            kinds.setdefault(kind_of(function), []).append(function)
        for kind, functions in kinds.items():
            wares = Wares(kind, dtype, max(options.sizes))
            for function, size in product(functions, options.sizes):
                row = measure(function, dtype, size, wares, options.seconds)
                show(row, peers)
                yield row
            del wares
    zeros.cache_clear()


def measure(function: str, dtype: str, size: int, wares: Wares, seconds: float) -> Row:
    given = wares.names(size)
    arguments = "x, y" if function == "dot" else "x"
    bytes = given["x"].nbytes * (2 if function == "dot" else 1)
    racers = {"ours": Racer(f"reductions.{function}({arguments})", given)}
    # Smaller ones are for the picture.
    if bytes >= MEGABYTE // 10:
        whole = zeros(bytes)
        parts = [whole[i : i + PART] for i in range(0, len(whole), PART)]
        racers |= {
            f"read {number}": Racer(expression, given | {"zeros": whole, "parts": parts})
            for number, expression in enumerate(READS)
            if "nb" in given or "nb." not in expression
        }
    for peer in PEERS:
        if has(peer, function, dtype):
            racers[peer] = Racer(PEERS[peer][function], given, size / min(size, FEW) if peer == "math" else 1.0)
    best = race(racers, seconds)
    ours = best.pop("ours")
    read = min([best.pop(name) for name in list(best) if name.startswith("read ")], default=None)
    return Row(os.environ["GILFREE_ISA"], threads_here(), function, dtype, size, bytes, ours, read, best)


def show(row: Row, peers: list[str]) -> None:
    share = f"{row.share:8.2f}" if row.share and row.bytes >= MEGABYTE else ""
    columns = "".join(f"{row.peers[name] / row.ours:12.2f}" if name in row.peers else f"{'':>12}" for name in peers)
    if "math" in row.peers:
        columns = f"  math.fsum {row.peers['math'] / row.ours:.2f}"
    label = f"{f'{row.function} {row.dtype}':<24}{short(row.size):>6}"
    print(f"  {label}{duration(row.ours):>12}{row.bytes / row.ours / 1e9:8.2f}{share:>9}{columns}", flush=True)


def short(size: int) -> str:
    """A power of ten as one."""
    power = len(str(size)) - 1
    return (
        str(size)
        if power < 3 or size != 10**power
        else f"10{str(power).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
    )


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


# --- along axes ------------------------------------------------------------------------------------------------------


def along(options: Namespace) -> Iterator[Row]:
    """Arrays of two and three dimensions along each axis, against NumPy and Bottleneck."""
    print(f"\n  {'along an axis':<24}{'':<24}{'a call':>12}{'GB/s':>8}{'NumPy':>12}{'Bottleneck':>12}")
    functions = [name for name in ALONG if name in options.functions]
    dtypes = [name for name in ("float64", "uint8") if name in options.dtypes]
    for dtype, shape, function in product(dtypes, SHAPES, functions):
        x = data(kind_of(function), dtype, math.prod(shape)).reshape(shape)
        for axis in range(x.ndim):
            given = names() | {"x": x}
            racers = {"ours": Racer(f"reductions.{function}(x, axis={axis})", given)}
            racers["NumPy"] = Racer(f"np.{function}(x, axis={axis})", given)
            if ALONG[function] and "bn" in given and dtype in WIDE:
                racers["Bottleneck"] = Racer(f"bn.{ALONG[function]}(x, axis={axis})", given)
            best = race(racers, options.seconds)
            ours = best.pop("ours")
            label = f"{' × '.join(map(str, shape))}, axis {axis}"
            ratios = "".join(f"{seconds / ours:12.2f}" for seconds in best.values())
            print(
                f"  {f'{function} {dtype}':<24}{label:<24}{duration(ours):>12}{x.nbytes / ours / 1e9:8.2f}{ratios}",
                flush=True,
            )
            yield Row(
                os.environ["GILFREE_ISA"],
                threads_here(),
                function,
                f"{dtype} {label}",
                x.size,
                x.nbytes,
                ours,
                None,
                best,
            )


# --- beside a busy thread --------------------------------------------------------------------------------------------


def count_on(stop: threading.Event) -> None:
    while not stop.is_set():
        for _ in range(10000):
            pass


def spin_on(stop: threading.Event) -> None:
    from gilfree import _heartbeat

    while not stop.is_set():
        _heartbeat.spin(0, released=0.05)


@contextmanager
def beside(work: Callable[[threading.Event], None] | None) -> Iterator[None]:
    """A thread that works all the while."""
    if work is None:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), daemon=True)
    thread.start()
    try:
        time.sleep(0.05)
        yield
    finally:
        stop.set()
        thread.join()


def crowd(options: Namespace) -> None:
    """How much slower a sum is beside a thread that wants the GIL than beside one that does not."""
    print(f"\n  {'beside a busy thread, sum float64':<36}{'alone':>12}{'in C':>12}{'in Python':>12}{'C / Python':>12}")
    for size in options.beside:
        x = data("plain", "float64", size)
        took: dict[str, list[float]] = {"alone": [], "C": [], "Python": []}
        calls: dict[str, list[float]] = {name: [] for name in took}
        for _ in range(5):
            for name, work in (("alone", None), ("C", spin_on), ("Python", count_on)):
                with beside(work):
                    began = now = time.perf_counter()
                    count = 0
                    while now - began < max(options.seconds, 0.4):
                        start = now
                        reductions.sum(x)
                        now = time.perf_counter()
                        took[name].append(now - start)
                        count += 1
                    calls[name].append((now - began) / count)
        for what, of in (("the middle call", took), ("all calls", calls)):
            seconds = {name: statistics.median(found) for name, found in of.items()}
            columns = "".join(f"{duration(seconds[name]):>12}" for name in seconds)
            print(f"  {f'{short(size)}, {what}':<36}{columns}{seconds['C'] / seconds['Python']:12.2f}", flush=True)


# --- what is left to do ----------------------------------------------------------------------------------------------


def sum_up(rows: list[Row], axes: list[Row]) -> None:
    """The worst of each function."""
    large = [row for row in rows if row.size >= 10**5]
    little = [row for row in rows if row.size < 10**5]
    print(
        "\n  the worst of each function: the best peer's time over gilfree's, and the share of the machine's read speed"
    )
    print(f"  {'':<15}{'10⁵ elements and more':<44}{'fewer, NumPy':<30}{'of read, from 1 MB':<30}along an axis, NumPy")
    for function in dict.fromkeys(row.function for row in rows + axes):
        peers = [
            (row.peers[row.best] / row.ours, row, row.best) for row in large if row.function == function and row.best
        ]
        numpys = [
            (row.peers["NumPy"] / row.ours, row, "")
            for row in little
            if row.function == function and "NumPy" in row.peers
        ]
        shares = [
            (row.share, row, "") for row in large if row.function == function and row.share and row.bytes >= MEGABYTE
        ]
        along = [(row.peers["NumPy"] / row.ours, row, "") for row in axes if row.function == function]
        cells = [worst(found) for found in (peers, numpys, shares, along)]
        print(f"  {function:<15}{cells[0]:<44}{cells[1]:<30}{cells[2]:<30}{cells[3]}")


def worst(found: list[tuple[float, Row, str | None]]) -> str:
    if not found:
        return ""
    ratio, row, peer = min(found, key=lambda one: one[0])
    below = sum(one[0] < 1 for one in found)
    where = row.dtype if "axis" in row.dtype else f"{row.dtype} {short(row.size)}"
    counted = f" ({below}/{len(found)} < 1)" if peer else ""
    return f"{ratio:5.2f} {where}{f' {peer}' if peer else ''}{counted}"


# --- the picture -----------------------------------------------------------------------------------------------------

DRAWN = (
    *((name, "float64") for name in ("sum", "min", "minmax", "argmin", "var", "fsum", "dot", "count_nonzero")),
    ("sum", "uint8"),
)
MORE_COLOURS = ("#882255", "#117733")  # from P. Tol's palette, which the colour-blind tell apart as well


def draw(rows: list[Row], path: Path) -> None:
    """Bytes a second against bytes, one panel a number of threads, the machine above."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    from gilfree.explore.plot import CEILING, STALL_COLOURS

    isa = rows[0].isa
    rows = [row for row in rows if row.isa == isa and row.bytes >= 100]  # below, nothing but the price of a call
    counts = sorted({row.threads for row in rows})
    figure = Figure(figsize=(8, 4.1 * len(counts) + 0.4), layout="constrained")
    panels = figure.subplots(len(counts), 1, squeeze=False, sharex=True).ravel()
    for panel, threads in zip(panels, counts, strict=True):
        here = [row for row in rows if row.threads == threads]
        ends: list[tuple[float, float, str, str]] = []
        read: dict[int, float] = {}
        for row in here:
            if row.read and row.bytes >= MEGABYTE:
                read[row.bytes] = max(read.get(row.bytes, 0.0), row.bytes / row.read)
        if read:
            points = sorted(read.items())
            panel.plot(*zip(*points, strict=True), color=CEILING, linewidth=6, alpha=0.45, solid_capstyle="round")
            ends.append((*points[-1], "the machine's read", "#666666"))
        for number, (function, dtype) in enumerate(DRAWN):
            found = [row for row in here if (row.function, row.dtype) == (function, dtype)]
            colour, style = (*STALL_COLOURS, *MORE_COLOURS)[number], "-" if number < len(STALL_COLOURS) else "--"
            label = function if dtype == "float64" else f"{function}, {dtype}"
            line(panel, ends, [(row.bytes, row.bytes / row.ours) for row in found], label, colour, style, 1.8)
            if (function, dtype) == ("sum", "float64"):
                numpys = [(row.bytes, row.bytes / row.peers["NumPy"]) for row in found]
                peers = [(row.bytes, row.bytes / row.peers[row.best]) for row in found if row.best]
                line(panel, ends, numpys, "NumPy's sum (dotted)", colour, ":", 1.0)
                line(panel, ends, peers, "best peer's sum (dash-dot)", colour, "-.", 1.0)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_title("one core" if threads == 1 else f"{threads} cores", fontsize=10, fontweight="bold")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda bytes, _: amount(bytes)))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda bytes, _: amount(bytes)))
        panel.grid(alpha=0.25)
        panel.tick_params(labelsize=9, labelbottom=True)
        name_ends(panel, ends)
    figure.supxlabel("bytes of the array", fontsize=10)
    figure.supylabel("bytes a second", fontsize=10)
    info = machine.info()
    figure.suptitle(f"Reductions · {info['cpu']}, {info['cpus']} CPUs, {isa} · Python {info['python']}", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200)


def line(panel: Any, ends: list[Any], points: list[Any], label: str, colour: str, style: str, width: float) -> None:
    if points:
        points = sorted(points)
        panel.plot(*zip(*points, strict=True), color=colour, linestyle=style, linewidth=width)
        ends.append((*points[-1], label, colour))


def name_ends(panel: Any, ends: list[tuple[float, float, str, str]]) -> None:
    """Names to the right of all lines, as near to their ends as they can be without touching, tied by thin lines."""
    if not ends:
        return
    low, high = panel.get_ylim()
    step = math.log(high / low) * 0.055
    ends = sorted(ends, key=lambda end: end[1])
    heights = [math.log(end[1]) for end in ends]
    for _ in range(200):  # push neighbours apart, half the way each
        for i in range(len(heights) - 1):
            push = (step - (heights[i + 1] - heights[i])) / 2
            if push > 0:
                heights[i] -= push
                heights[i + 1] += push
        over = heights[-1] - math.log(high)
        if over > 0:
            heights[-1] -= over
    right = max(end[0] for end in ends)
    for (x, y, label, colour), height in zip(ends, heights, strict=True):
        tie = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 2, "relpos": (0, 0.5)}
        panel.annotate(
            label, (x, y), xytext=(right * 6, math.exp(height)), fontsize=9, color=colour, va="center",
            annotation_clip=False, arrowprops=tie,
        )  # fmt: skip
    panel.set_xlim(right=right * 2.5)
    panel.set_ylim(low, high)


def amount(bytes: float) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if bytes >= scale:
            return f"{bytes / scale:g} {unit}"
    return f"{bytes:g} B"


# --- one process a number of threads ---------------------------------------------------------------------------------


def one(options: Namespace) -> tuple[list[Row], list[Row]]:
    """All that is asked for, in this process, whose environment says with which threads and which instruction set."""
    info = machine.info()
    threads = threads_here()
    print(
        f"\n{info['cpu']}, {info['isa']}, {threads} {'cores' if threads > 1 else 'core'}; Python {info['python']}",
        end="",
    )
    found = [module.split(".")[0].replace("pranges", "numba") for _, module in MODULES.values()]
    versions = [f"{name} {version(name)}" for name in ("numpy", *found) if find_spec(name)]
    print(f"; {', '.join(versions)}", flush=True)
    names()
    rows = list(table(options)) if "table" in options.parts else []
    axes = list(along(options)) if "axes" in options.parts else []
    if rows or axes:
        sum_up(rows, axes)
    if "beside" in options.parts:
        crowd(options)
    return rows, axes


ROOM = 64  # bytes an element that a run needs: two arrays, their copies in Polars, and zeros

# What each library reads when it is loaded; some have no other way to be told.
TOLD = (
    "GILFREE_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
)


def report(options: Namespace) -> None:
    """Print what is asked for, with each instruction set and number of threads, and draw it."""
    if options.plot:
        import_module("matplotlib")  # to fail now, not when all is measured
    options.functions = options.functions or list(FUNCTIONS)
    options.dtypes = options.dtypes or list(QUICK["dtypes"] if options.quick else ALL)
    options.sizes = sorted(options.sizes or (QUICK["sizes"] if options.quick else SIZES))
    options.seconds = options.seconds or (QUICK["seconds"] if options.quick else SECONDS)
    room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf
    fits = [size for size in options.sizes if ROOM * size <= room]
    if fits != options.sizes:
        print(f"left out, too large for this machine: {', '.join(map(short, options.sizes[len(fits) :]))} elements")
    options.sizes = fits
    options.beside = [size if ROOM * size <= room else size // 2 for size in BESIDE]
    print(FOLDED)
    rows: list[Row] = []
    for isa, threads in product(options.isa or backends.isas()[:1], options.threads):
        told = dict.fromkeys(TOLD, str(threads))
        before = dict(os.environ)
        os.environ.update(told | {"GILFREE_ISA": isa})
        try:
            # Spawned: it loads every library anew. What it prints goes where this one prints.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                rows += process.submit(one, options).result()[0]
        finally:
            os.environ.clear()
            os.environ.update(before)
    if options.plot and rows:
        draw(rows, options.plot)
        print(f"\ndrawn: {options.plot}")
