"""The catalogue: every kernel that threads can share, with the data and the amount of work it is measured on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gilfree import pixels, primes, reductions

__all__ = ["HEADLINES", "KERNELS", "Kernel", "Workload", "read_array", "read_image", "workloads"]


@dataclass(frozen=True)
class Kernel:
    """A public function and how to feed it.

    ``size`` takes compiled code 5 to 50 ms on one core, long enough to time and to share; ``python_size`` does that
    to the interpreter. ``make(size, seed)`` gives the data and ``call(data, **where)`` the answer.
    """

    name: str
    family: str
    unit: str
    size: int
    python_size: int
    make: Callable[[int, int], Any]
    call: Callable[..., Any]


def _odd_numbers(size: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(2**62, 2**63, size, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def _evenly_spaced(size: int, seed: int) -> Any:
    return (
        np.uint64(2**63) + np.uint64(2**40) * np.uint64(seed) + np.arange(1, size + 1, dtype=np.uint64) * np.uint64(97)
    )


def _normal(size: int, seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal(size)


def _square(data: Any, **where: Any) -> Any:
    return reductions.dot(data, data, **where)


def _grey_image(size: int, seed: int) -> Any:
    """Dark and light regions with noise, as a scanned page or a photograph has them."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 64, size, dtype=np.uint8)
    return noise + np.where(np.arange(size) // 4096 % 3 == 0, np.uint8(150), np.uint8(40)).astype(np.uint8)


def _colour_image(size: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (size, 3), dtype=np.uint8)


def _grayscale(data: tuple[Any, Any], **where: Any) -> Any:
    image, out = data
    return pixels.grayscale(image, out=out, **where)


def _threshold(data: tuple[Any, Any], **where: Any) -> Any:
    image, out = data
    return pixels.threshold(image, 127, out=out, **where)


def _rows(flat: Any) -> Any:
    """The pixels as an image of rows of 2048, or of one row; what is left of the last one is left out.

    How long a window takes does not depend on what is in it, so a picture may as well be cut up.
    """
    width = min(len(flat), 2048)
    return flat[: len(flat) // width * width].reshape(-1, width)


def _binarize(data: tuple[Any, Any], **where: Any) -> Any:
    image, out = (_rows(flat) for flat in data)
    return pixels.binarize(image, "sauvola", channel_axis=None, window_size=31, out=out, **where)


KERNELS = {
    row.name: row
    for row in (
        Kernel("is_prime", "primes", "numbers", 500_000, 2**10, _odd_numbers, primes.is_prime),
        Kernel("next_prime", "primes", "numbers", 20_000, 2**7, _evenly_spaced, primes.next_prime),
        Kernel("count_primes", "primes", "numbers", 3 * 10**8, 2**22, lambda size, _seed: size, primes.count_primes),
        Kernel("primerange", "primes", "numbers", 10**8, 2**20, lambda size, _seed: size, primes.primerange),
        Kernel("nth_prime", "primes", "primes", 4 * 10**10, 10**6, lambda size, _seed: size, primes.nth_prime),
        Kernel("sum", "reductions", "float64", 2 * 10**7, 2**19, _normal, reductions.sum),
        Kernel("min", "reductions", "float64", 2 * 10**7, 2**19, _normal, reductions.min),
        Kernel("max", "reductions", "float64", 2 * 10**7, 2**19, _normal, reductions.max),
        Kernel("minmax", "reductions", "float64", 2 * 10**7, 2**18, _normal, reductions.minmax),
        Kernel("var", "reductions", "float64", 2 * 10**7, 2**17, _normal, reductions.var),
        Kernel("argmin", "reductions", "float64", 2 * 10**7, 2**18, _normal, reductions.argmin),
        Kernel("dot", "reductions", "float64", 2 * 10**7, 2**18, _normal, _square),
        Kernel("fsum", "reductions", "float64", 10**7, 2**15, _normal, reductions.fsum),
        Kernel("grayscale", "pixels", "pixels", 24 * 10**6, 2**16, _colour_image, _grayscale),
        Kernel("threshold", "pixels", "pixels", 48 * 10**6, 2**18, _grey_image, _threshold),
        Kernel("threshold_otsu", "pixels", "pixels", 48 * 10**6, 2**20, _grey_image, pixels.threshold_otsu),
        Kernel("binarize", "pixels", "pixels", 12 * 10**6, 2**13, _grey_image, _binarize),
    )
}

# The one of each family that is measured unless others are asked for: long to compute, limited by memory, and between.
HEADLINES = ("is_prime", "sum", "binarize")

# Kernels that take numbers, and so no array of the user's.
RANGES = {"count_primes", "primerange"}
NUMBERS = {*RANGES, "nth_prime"}


@dataclass(frozen=True)
class Workload:
    """A kernel on a definite amount of work: made data, or a file of the user's. Small enough to send to a process."""

    kernel: str
    size: int
    path: str | None = None

    def data(self, part: int = 0, parts: int = 1) -> Any:
        """The data, or one of ``parts`` equal parts of it: made afresh, or cut from the file."""
        row = KERNELS[self.kernel]
        if self.path is not None:
            whole = _read(self.path, row)[: self.size]
            return _with_out(row, whole[len(whole) * part // parts : len(whole) * (part + 1) // parts].copy())
        if self.kernel in RANGES:
            # So high that a range of this size is visited, number by number: its parts are, and must be as much work.
            start = max(10**11, round(self.size**1.7) // 100)
            return start + self.size * part // parts, start + self.size * (part + 1) // parts
        if self.kernel == "nth_prime":
            return max(1, round(self.size / parts ** (1 / 0.61)))  # the work grows as n**0.61
        return _with_out(row, row.make(max(1, self.size // parts), part))

    def memory(self, data: Any) -> tuple[Any, int] | None:
        """The array that a call reads and the number of bytes that it reads and writes; None if it takes numbers."""
        if self.kernel in NUMBERS:
            return None
        arrays = data if isinstance(data, tuple) else (data,)
        return arrays[0], sum(array.nbytes for array in arrays)

    @property
    def unit(self) -> str:
        """What ``size`` counts."""
        if self.path is None or KERNELS[self.kernel].family == "pixels":
            return KERNELS[self.kernel].unit
        return str(read_array(self.path).dtype)

    def call(self, data: Any, **where: Any) -> Any:
        """The kernel's answer on ``backend=`` and ``threads=``."""
        if self.kernel in RANGES:
            return KERNELS[self.kernel].call(*data, **where)
        return KERNELS[self.kernel].call(data, **where)


def _with_out(row: Kernel, data: Any) -> Any:
    """The data, and where the result is an image, the array for it.

    Made once: the first touch of fresh memory costs more than the kernel, and threads of one process queue for it
    where processes do not.
    """
    if row.call not in (_grayscale, _threshold, _binarize):
        return data
    return data, np.zeros(len(data), np.uint8 if row.call is _binarize else data.dtype)


def workloads(
    kernels: list[str] | None = None,
    size: int | None = None,
    image: str | None = None,
    array: str | None = None,
) -> list[Workload]:
    """The catalogue's rows, or those that can run on the user's own file.

    Parameters
    ----------
    kernels : list of str, optional
        Names of kernels or families; all by default, or all that fit the file.
    size : int, optional
        Amount of work instead of the catalogue's; at most all of a file.
    image, array : str, optional
        A picture that Pillow reads, for the pixel kernels; a ``.npy`` file, for the others.

    Raises
    ------
    ValueError
        For an unknown kernel, a size below 1, or a file that no kernel asked for can use.
    OSError
        If a file cannot be read.
    """
    if size is not None and size < 1:
        raise ValueError(f"size: got {size}, expected at least 1")
    rows = list(KERNELS.values())
    if kernels:
        for name in kernels:
            if name not in KERNELS and name not in {row.family for row in rows}:
                raise ValueError(f"kernel: got {name!r}, expected one of {', '.join(KERNELS)}")
        rows = [row for row in rows if row.name in kernels or row.family in kernels]
    if image is None and array is None:
        return [Workload(row.name, size or row.size) for row in rows]
    found = []
    for row in rows:
        path = image if row.family == "pixels" else array
        if path is not None and row.name not in NUMBERS and _fits(path, row):
            length = len(_read(path, row))
            found.append(Workload(row.name, min(size or length, length), path))
    if not found:
        raise ValueError("image, array: no kernel asked for can use that file")
    return found


def read_image(path: str) -> Any:
    """A picture as uint8 RGB of shape (height, width, 3), or as uint8 or uint16 grey of shape (height, width)."""
    from PIL import Image

    with Image.open(path) as picture:
        if picture.mode.startswith("I;16"):
            return np.asarray(picture).astype(np.uint16)
        return np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))


def read_array(path: str) -> Any:
    """The array in a ``.npy`` file, flat.

    Raises
    ------
    ValueError
        If it is no ``.npy`` file, is empty, or holds Python objects.
    """
    expected = f"array: got {Path(path).name}, expected a .npy file with at least one element"
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{expected} ({error})") from error
    if not isinstance(array, np.ndarray) or array.size == 0:
        raise ValueError(expected)
    return array.reshape(-1)


def _read(path: str, row: Kernel) -> Any:
    if row.family != "pixels":
        return read_array(path)
    image = read_image(path)
    if row.name == "grayscale":
        return image.reshape(-1, 3)
    return (pixels.grayscale(image) if image.ndim == 3 else image).reshape(-1)


def _fits(path: str, row: Kernel) -> bool:
    if row.family == "pixels":
        return row.name != "grayscale" or read_image(path).ndim == 3
    kinds = {"primes": "iu", "reductions": "buif"}
    array = read_array(path)
    if array.dtype.kind not in kinds[row.family]:
        return False
    return row.name != "next_prime" or int(array.max()) < primes.LARGEST
