"""Types of the compiled doors; see ext/pixels.pyx. Every build has the same."""

from typing import Any

from numpy.typing import NDArray

from gilfree._tickets import Tickets

def grayscale(
    image: NDArray[Any], out: NDArray[Any], backwards: bool, tickets: Tickets, most: int, release: bool, /
) -> bool: ...
def threshold(
    image: NDArray[Any],
    out: NDArray[Any],
    value: float,
    keep_above: bool,
    above: float,
    keep_below: bool,
    below: float,
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def histogram(image: NDArray[Any], counts: NDArray[Any], tickets: Tickets, most: int, release: bool, /) -> bool: ...
def extent(image: NDArray[Any], bounds: NDArray[Any], tickets: Tickets, most: int, release: bool, /) -> bool: ...
def histogram_real(
    image: NDArray[Any],
    edges: NDArray[Any],
    counts: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def histograms(
    images: NDArray[Any],
    counts: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def extents(
    images: NDArray[Any],
    bounds: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def histograms_real(
    images: NDArray[Any],
    edges: NDArray[Any],
    counts: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def sums_below(
    images: NDArray[Any],
    which: NDArray[Any],
    low: NDArray[Any],
    limit: NDArray[Any],
    sums: NDArray[Any],
    counts: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def smooth(values: NDArray[Any], state: NDArray[Any], tickets: Tickets, most: int, release: bool, /) -> bool: ...
def best_splits(
    w: NDArray[Any],
    s: NDArray[Any],
    fewer: NDArray[Any],
    best: NDArray[Any],
    place: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def count_runs(
    image: NDArray[Any],
    width: int,
    least: float,
    runs: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def find_runs(
    image: NDArray[Any],
    width: int,
    least: float,
    seed: float,
    begins: NDArray[Any],
    runs: NDArray[Any],
    parents: NDArray[Any],
    seeds: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def unite_runs(
    begins: NDArray[Any],
    runs: NDArray[Any],
    parents: NDArray[Any],
    seeds: NDArray[Any],
    shape: NDArray[Any],
    width: int,
    band: int,
    flat: bool,
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def unite_bands(
    begins: NDArray[Any],
    runs: NDArray[Any],
    parents: NDArray[Any],
    seeds: NDArray[Any],
    shape: NDArray[Any],
    width: int,
    band: int,
    flat: bool,
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def paint_runs(
    begins: NDArray[Any],
    runs: NDArray[Any],
    parents: NDArray[Any],
    seeds: NDArray[Any],
    width: int,
    out: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def windows(
    image: NDArray[Any],
    thresholds: NDArray[Any],
    binary: NDArray[Any],
    shape: NDArray[Any],
    rows: NDArray[Any],
    columns: NDArray[Any],
    row_counts: NDArray[Any],
    column_counts: NDArray[Any],
    rule: int,
    deviates: bool,
    numbers: NDArray[Any],
    compares: bool,
    white: int,
    black: int,
    extremes: NDArray[Any],
    total: NDArray[Any],
    squares: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def weighted(
    image: NDArray[Any],
    thresholds: NDArray[Any],
    binary: NDArray[Any],
    shape: NDArray[Any],
    rows: NDArray[Any],
    columns: NDArray[Any],
    row_weights: NDArray[Any],
    column_weights: NDArray[Any],
    offset: float,
    compares: bool,
    white: int,
    black: int,
    padded: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...

class Threshold:
    out: NDArray[Any]
    def __call__(self, tickets: Tickets, most: int, release: bool, /) -> bool: ...

def small_threshold(
    image: object, value: object, maxval: object, kind: object, out: object, alone: bool, /
) -> NDArray[Any] | Threshold | None: ...
def small_otsu(image: object, /) -> int | None: ...
def small_histogram(image: object, /) -> tuple[NDArray[Any], NDArray[Any]] | None: ...
def small_grayscale(image: object, backwards: bool, out: object, /) -> NDArray[Any] | None: ...
def small_binarize(image: object, maxval: object, invert: bool, out: object, /) -> NDArray[Any] | None: ...
def binarize(
    images: NDArray[Any],
    out: NDArray[Any],
    limits: NDArray[Any],
    colours: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
def grayscale_histogram(
    image: NDArray[Any],
    out: NDArray[Any],
    counts: NDArray[Any],
    tickets: Tickets,
    most: int,
    release: bool,
    /,
) -> bool: ...
