"""The part of peers.py that is about gilfree.pixels: against OpenCV, scikit-image, Doxa and NumPy, on photographs."""

import os
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from typing import Any, NamedTuple

import folds  # how calls are timed, beside this file
import numpy as np

from gilfree import backends, parallel, pixels
from gilfree.explore import machine

SECONDS = 1.2  # for a case and a number of threads
QUICK_SECONDS = 0.15
LEAST = 2e-4  # seconds between two looks at the clock: on a busy machine few calls in a row are undisturbed

SIZES = {"256²": (256, 256), "512²": (512, 512), "2 MP": (1080, 1920), "33 MP": (4400, 7500)}
QUICK = ("512²", "2 MP")
MIDDLE = "2 MP"  # for peers that are slow, and for all that does not depend on the size
BLOCKS = (11, 31, 101)
WINDOWS = (15, 31, 75)
FLAT = (3, 15, 31, 101, 301)

KINDS = {
    "binary": "THRESH_BINARY",
    "binary_inv": "THRESH_BINARY_INV",
    "trunc": "THRESH_TRUNC",
    "tozero": "THRESH_TOZERO",
    "tozero_inv": "THRESH_TOZERO_INV",
}
CONSTANTS = (
    *KINDS.values(),
    "THRESH_OTSU",
    "COLOR_RGB2GRAY",
    "ADAPTIVE_THRESH_MEAN_C",
    "ADAPTIVE_THRESH_GAUSSIAN_C",
)
# Peer → the name its expressions use, its module, and its package.
PEERS = {
    "OpenCV": ("cv2", "cv2", "opencv-python-headless"),
    "scikit-image": ("filters", "skimage.filters", "scikit-image"),
    "Doxa": ("doxapy", "doxapy", "doxapy"),
}
# Method → what Doxa calls it.
DOXA = {"sauvola": "SAUVOLA", "wolf": "WOLF", "nick": "NICK", "singh": "TRSINGH"}
GLOBAL = ("li", "triangle", "yen", "isodata", "mean", "minimum", "multiotsu")

# Family and peer → how many times as fast as the peer gilfree is to be, on all cores and at every size.
TARGETS = {
    ("threshold", "OpenCV"): 1.0,
    ("Otsu", "OpenCV"): 2.0,
    ("grey + Otsu", "OpenCV"): 2.0,
    ("adaptive mean", "OpenCV"): 5.0,
    ("adaptive gaussian", "OpenCV"): 6.0,
    ("Sauvola", "Doxa"): 6.0,
    ("Sauvola", "scikit-image"): 80.0,
    ("other", "scikit-image"): 10.0,
}
FLATNESS = 1.5  # the slowest window's time over that of the smallest

ABOUT = """
Best times of calls in turn; x is the peer's time over gilfree's, so that above 1 gilfree is
faster. Both write into an array that is there already, where the peer can. scikit-image, Doxa and
NumPy use one thread, whatever is asked for. Otsu and what is said to be applied include black and
white; scikit-image's are compared with the picture for that.
"""


class Case(NamedTuple):
    """Something to do, as gilfree's expression and those of peers."""

    family: str
    label: str
    ours: str
    peers: dict[str, str]


class Row(NamedTuple):
    """What was measured of one case and peer: threads → seconds, gilfree's and the peer's."""

    case: Case
    size: str
    peer: str
    took: dict[int, tuple[float, float]]

    def ratio(self, threads: int) -> float:
        ours, theirs = self.took[threads]
        return theirs / ours

    def place(self, threads: int) -> str:
        return f"{self.case.label}, {self.size}, {self.peer}, {cores(threads)}"


def cores(threads: int) -> str:
    return "1 core" if threads == 1 else f"{threads} cores"


# --- what they are given ---------------------------------------------------------------------------------------------


@cache
def names() -> dict[str, Any]:
    """The modules and constants that expressions use, as far as they are installed; says once what is missing."""
    found: dict[str, Any] = {"np": np, "pixels": pixels}
    for peer, (name, module, _) in PEERS.items():
        try:
            found[name] = import_module(module)
        except ImportError:
            print(f"{peer} is not installed: left out")
    if "cv2" in found:
        found |= {name: getattr(found["cv2"], name) for name in CONSTANTS}
    if "doxapy" in found:
        binarization = found["doxapy"].Binarization
        found |= {name: binarization(getattr(binarization.Algorithms, name)) for name in DOXA.values()}
    return found


@cache
def photographs() -> Any:
    """A camera man, a page of a book and an astronaut in a row, in colour, to be tiled."""
    try:
        from skimage import data
    except ImportError:
        print("scikit-image is not installed: waves in place of its photographs")
        across, down = np.linspace(0, 60, 1536), np.linspace(0, 40, 512)[:, np.newaxis]
        waves = 127 + 80 * np.sin(across) * np.cos(down) + 40 * (np.sin(7 * across + down) > 0)
        return np.repeat(waves.astype(np.uint8)[:, :, np.newaxis], 3, axis=2)
    page = np.tile(data.page(), (3, 2))[:512, :512]
    grey = [np.repeat(picture[:, :, np.newaxis], 3, axis=2) for picture in (data.camera(), page)]
    return np.roll(np.concatenate([*grey, data.astronaut()], axis=1), (-128, -128), axis=(0, 1))


def pictures(size: str) -> dict[str, Any]:
    """A picture in colour and in grey, with a little noise that no two tiles share, and room for answers."""
    height, width = SIZES[size]
    tile = photographs()
    copies = (-(-height // tile.shape[0]), -(-width // tile.shape[1]), 1)
    colour = np.tile(tile, copies)[:height, :width].astype(np.int16)
    colour += np.random.default_rng(0).integers(-3, 4, colour.shape, np.int8)
    colour = np.clip(colour, 0, 255).astype(np.uint8)
    grey = pixels.grayscale(colour)
    found = {"c": colour, "g": grey, "o": np.zeros_like(grey), "mask": np.zeros(grey.shape, bool)}
    if size == MIDDLE:
        found["f"] = np.zeros(grey.shape)
    return found


# --- the cases -------------------------------------------------------------------------------------------------------


def cases(size: str, *, quick: bool) -> Iterator[Case]:
    """All that is measured at one size."""
    yield from of_levels(size)
    yield from of_blocks(quick=quick)
    if size == "33 MP":
        yield doxa("sauvola", 31)
    if size == MIDDLE:
        for window in WINDOWS:
            yield doxa("sauvola", window)
        for method in ("wolf", "nick", "singh"):
            yield doxa(method, 75)
        yield from against_scikit_image()


def of_levels(size: str) -> Iterator[Case]:
    """Pixel by pixel, and by the counts of grey levels."""
    for kind in KINDS if size == MIDDLE else ("binary",):
        yield Case(
            "threshold",
            f"threshold {kind}",
            f"pixels.threshold(g, 127, kind={kind!r}, out=o)",
            {"OpenCV": f"cv2.threshold(g, 127, 255, {KINDS[kind]}, dst=o)"},
        )
    otsu = {"OpenCV": "cv2.threshold(g, 0, 255, THRESH_OTSU, dst=o)"}
    if size == MIDDLE:
        otsu["scikit-image"] = "np.greater(g, int(filters.threshold_otsu(g)), out=mask)"
    yield Case("Otsu", "Otsu", "pixels.binarize(g, out=o)", otsu)
    to_grey = "cv2.cvtColor(c, COLOR_RGB2GRAY, dst=o)"
    yield Case("grey", "grey", "pixels.grayscale(c, out=o)", {"OpenCV": to_grey})
    both = f"{to_grey}; cv2.threshold(o, 0, 255, THRESH_OTSU, dst=o)"
    yield Case("grey + Otsu", "grey + Otsu", "pixels.binarize(c, out=o)", {"OpenCV": both})
    counts = {
        "OpenCV": "cv2.calcHist([g], [0], None, [256], [0, 256])",
        "NumPy": "np.bincount(g.ravel(), minlength=256)",
    }
    yield Case("histogram", "histogram", "pixels.histogram(g)", counts)


def of_blocks(*, quick: bool) -> Iterator[Case]:
    """Each pixel against those around it, as OpenCV has it."""
    for method in ("mean", "gaussian"):
        for block in BLOCKS[1:2] if quick else BLOCKS:
            constant = f"ADAPTIVE_THRESH_{method.upper()}_C"
            theirs = f"cv2.adaptiveThreshold(g, 255, {constant}, THRESH_BINARY, {block}, 2, dst=o)"
            ours = f"pixels.adaptive_threshold(g, method={method!r}, block_size={block}, c=2, out=o)"
            yield Case(f"adaptive {method}", f"adaptive {method} {block}", ours, {"OpenCV": theirs})


def doxa(method: str, window: int) -> Case:
    """Each pixel against those around it, as Doxa has it; it has to be given the picture before it is asked."""
    k = -0.2 if method == "nick" else 0.2
    name = DOXA[method]
    theirs = f"{name}.initialize(g); {name}.to_binary(o, {{'window': {window}, 'k': {k}}})"
    ours = f"pixels.binarize(g, {method!r}, window_size={window}, k={k}, out=o)"
    family = "Sauvola" if method == "sauvola" else method
    return Case(family, f"{method} {window}, applied", ours, {"Doxa": theirs})


def against_scikit_image() -> Iterator[Case]:
    """What only scikit-image has."""
    for method in ("sauvola", "niblack"):
        family = "Sauvola" if method == "sauvola" else "other"
        for window in WINDOWS[:2]:
            theirs = f"filters.threshold_{method}(g, {window})"
            ours = f"pixels.threshold_{method}(g, {window}, out=f)"
            yield Case(family, f"threshold_{method} {window}", ours, {"scikit-image": theirs})
            if method == "sauvola":
                ours = f"pixels.binarize(g, 'sauvola', window_size={window}, out=o)"
                applied = f"np.greater(g, {theirs}, out=mask)"
                yield Case(family, f"sauvola {window}, applied", ours, {"scikit-image": applied})
    for method in ("mean", "gaussian"):
        ours = f"pixels.threshold_local(g, 31, method={method!r}, out=f)"
        theirs = f"filters.threshold_local(g, 31, method={method!r})"
        yield Case("other", f"threshold_local {method} 31", ours, {"scikit-image": theirs})
    for name in GLOBAL:
        call = f"threshold_{name}(g{', classes=3' if name == 'multiotsu' else ''})"
        yield Case("other", f"threshold_{name}", f"pixels.{call}", {"scikit-image": f"filters.{call}"})
    ours, theirs = (
        "pixels.apply_hysteresis_threshold(g, 80, 150, out=mask)",
        "filters.apply_hysteresis_threshold(g, 80, 150)",
    )
    yield Case("other", "apply_hysteresis_threshold", ours, {"scikit-image": theirs})


# --- the tables ------------------------------------------------------------------------------------------------------


def table(options: Namespace) -> Iterator[Row]:
    """One row a case and peer, printed as it comes."""
    head = "".join(f"{cores(threads):>10}{'peer':>9}{'x':>7}" for threads in options.threads)
    print(f"\n{'':<34}{'':<13}{head}")
    installed = {peer for peer, (name, _, _) in PEERS.items() if name in names()} | {"NumPy"}
    for size in QUICK if options.quick else SIZES:
        given = names() | pictures(size)
        for case in cases(size, quick=options.quick):
            found = {peer: expression for peer, expression in case.peers.items() if peer in installed}
            took: dict[str, dict[int, tuple[float, float]]] = {peer: {} for peer in found}
            for threads in options.threads:
                best = timed({"ours": case.ours} | found, given, threads, options.seconds)
                for peer in found:
                    took[peer][threads] = (best["ours"], best[peer])
            for peer in found:
                row = Row(case, size, peer, took[peer])
                show(row)
                yield row


def timed(expressions: dict[Any, str], given: dict[str, Any], threads: int, seconds: float) -> dict[Any, float]:
    """Best time of each, with so many threads for all that can be told."""
    if "cv2" in given:
        given["cv2"].setNumThreads(threads)
    with parallel.use(threads=threads):
        return folds.race({name: folds.Racer(call, given, least=LEAST) for name, call in expressions.items()}, seconds)


def show(row: Row) -> None:
    columns = "".join(
        f"{folds.duration(ours):>10}{folds.duration(theirs):>9}{times(theirs / ours):>7}"
        for ours, theirs in row.took.values()
    )
    print(f"{f'{row.case.label}, {row.size}':<34}{row.peer:<13}{columns}", flush=True)


def times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}" if ratio < 100 else f"{ratio:.0f}"


def flatness(options: Namespace) -> dict[str, float]:
    """The time at each window over that at the smallest, printed; the worst of each method and number of threads."""
    given = names() | pictures(MIDDLE)
    calls = {
        "adaptive mean": "pixels.adaptive_threshold(g, block_size={}, c=2, out=o)",
        "sauvola, applied": "pixels.binarize(g, 'sauvola', window_size={}, out=o)",
    }
    print(f"\n{f'time at a window over that at {FLAT[0]}, {MIDDLE}':<46}{''.join(f'{window:>9}' for window in FLAT)}")
    worst = {}
    for label, call in calls.items():
        for threads in options.threads:
            best = timed({w: call.format(w) for w in FLAT}, given, threads, options.seconds)
            over = [seconds / best[FLAT[0]] for seconds in best.values()]
            worst[f"{label}, {cores(threads)}"] = max(over)
            where = f"{label}, {cores(threads)}, {folds.duration(best[FLAT[0]])}"
            print(f"{where:<46}{''.join(f'{ratio:9.2f}' for ratio in over)}", flush=True)
    return worst


# --- what is left to do ----------------------------------------------------------------------------------------------


def sum_up(rows: list[Row], flat: dict[str, float], threads: list[int]) -> None:
    """What is slower than a peer, and each target with the case that is nearest to missing it."""
    slower = sorted((row.ratio(count), row.place(count)) for row in rows for count in threads if row.ratio(count) < 1)
    print(f"\nslower than a peer{'' if slower else ': nothing'}")
    for ratio, place in slower:
        print(f"  {times(ratio):>5}  {place}")
    most = max(threads)
    print(f"\ntargets{'':<27}{'wanted':>8}{'worst':>7}")
    groups: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for row in rows:
        key = (row.case.family, row.peer)
        key = key if key in TARGETS else ("other", row.peer)
        groups.setdefault(key, []).append((row.ratio(most), row.place(most)))
    for (family, peer), least in TARGETS.items():
        if (family, peer) in groups:
            judge(f"{family}, {peer}", least, *min(groups[family, peer]))
    single = [(row.ratio(1), row.place(1)) for row in rows if row.peer == "OpenCV" and 1 in row.took]
    if single:
        judge("one core, OpenCV", 1.0, *min(single))
    where, worst = max(flat.items(), key=lambda one: one[1])
    judge("flatness", FLATNESS, worst, where, fits=worst <= FLATNESS)


def judge(target: str, wanted: float, worst: float, where: str, *, fits: bool | None = None) -> None:
    met = worst >= wanted if fits is None else fits
    print(f"  {'met   ' if met else 'MISSED'} {target:<25}{wanted:>8g}{times(worst):>7}  {where}")


# --- one process an instruction set ----------------------------------------------------------------------------------


def one(options: Namespace) -> None:
    """All of it, in this process, whose environment says with which instruction set."""
    info = machine.info()
    names()
    versions = [f"{peer} {version(package)}" for peer, (name, _, package) in PEERS.items() if name in names()]
    print(f"\n{info['cpu']}, {info['isa']}; Python {info['python']}, NumPy {np.__version__}, {', '.join(versions)}")
    rows = list(table(options))
    sum_up(rows, flatness(options), options.threads)


def report(options: Namespace) -> None:
    """Print all of it with each instruction set."""
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    print(ABOUT)
    for isa in options.isa or backends.isas()[:1]:
        before = os.environ.get("GILFREE_ISA")
        os.environ["GILFREE_ISA"] = isa
        try:
            # Spawned: it loads the kernels anew. What it prints goes where this one prints.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                process.submit(one, options).result()
        finally:
            if before is None:
                del os.environ["GILFREE_ISA"]
            else:
                os.environ["GILFREE_ISA"] = before
