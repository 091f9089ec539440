"""Draws a page of a book, unevenly lit, and what six methods of gilfree make of it: page.png, for the README.

    python benchmarks/page.py [FILE.png]

Needs Matplotlib, and scikit-image for the photograph. One pixel of the page is one of the drawing.
"""

import argparse
import io
from pathlib import Path
from typing import Any, cast

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from skimage import data

from gilfree import pixels

METHODS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("otsu", {}),
    ("niblack", {"window_size": 25}),
    ("adaptive_gaussian", {"block_size": 25, "c": 10}),
    ("bradley", {"window_size": 25, "t": 10}),
    ("sauvola", {"window_size": 25}),
    ("wolf", {"window_size": 25}),
)
COLUMNS = 3
GAP, TITLE = 14, 24  # pixels: between pictures, and above them for their titles
INK, FRAME, ACCENT = "#222222", "#bbbbbb", "#cc3311"
DPI = 100
COLOURS = 224  # for a small file: nearly all is grey


class Sheet:
    """A figure in which pictures lie pixel upon pixel."""

    def __init__(self, page: Any) -> None:
        self.height, self.width = page.shape
        rows = 1 + -(-len(METHODS) // COLUMNS)
        self.size = COLUMNS * (self.width + GAP) + GAP, rows * (self.height + TITLE + GAP) + GAP
        self.figure = Figure(figsize=(self.size[0] / DPI, self.size[1] / DPI), dpi=DPI, facecolor="white")
        self.renderer = cast("Any", FigureCanvasAgg(self.figure)).get_renderer()  # knows how wide a text is

    def cell(self, row: int, column: int, title: str, options: str = "", across: int = 1, foot: int = 0) -> Any:
        """Axes of the size of the page, or as wide as several; ``foot`` pixels are left free below."""
        left = GAP + column * (self.width + GAP)
        top = GAP + row * (self.height + TITLE + GAP) + TITLE
        width, height = across * (self.width + GAP) - GAP, self.height - foot
        across_all, down_all = self.size
        box = (left / across_all, 1 - (top + height) / down_all, width / across_all, height / down_all)
        axes = self.figure.add_axes(box)
        axes.tick_params(colors=INK, labelsize=8)
        for spine in axes.spines.values():
            spine.set_color(FRAME)
        at: dict[str, Any] = {
            "xycoords": "axes fraction",
            "textcoords": "offset pixels",
            "va": "baseline",
            "color": INK,
        }
        name = axes.annotate(title, (0, 1), (0, 7), fontsize=10.5, fontweight="bold", **at)
        end = name.get_window_extent(self.renderer).width
        axes.annotate(options, (0, 1), (end + 8, 7), fontsize=9, **at | {"color": "#666666"})
        return axes

    def picture(self, row: int, column: int, image: Any, title: str, options: str = "") -> None:
        axes = self.cell(row, column, title, options)
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
        axes.set_xticks([])
        axes.set_yticks([])


def draw(path: Path) -> None:
    """The page and its grey levels above, the methods below."""
    page = data.page()
    sheet = Sheet(page)
    sheet.picture(0, 0, page, "the page")
    levels(sheet, page)
    for number, (method, options) in enumerate(METHODS):
        row, column = divmod(number, COLUMNS)
        said = ", ".join(f"{name}={value}" for name, value in options.items())
        sheet.picture(1 + row, column, pixels.binarize(page, method, **options), method, said)
    drawn = io.BytesIO()
    sheet.figure.savefig(drawn, dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def levels(sheet: Sheet, page: Any) -> None:
    """How many pixels have each grey level, left and right: why one threshold for all of the page will not do."""
    axes = sheet.cell(0, 1, "its grey levels", "the left third of the page, and the right", across=2, foot=20)
    third = page.shape[1] // 3
    for part, colour, label, where in (
        (page[:, :third], "#555555", "left, in the shade", 92),
        (page[:, -third:], "#4477aa", "right, in the light", 202),
    ):
        counts, centers = pixels.histogram(np.ascontiguousarray(part))
        axes.fill_between(centers, counts, color=colour, alpha=0.55, linewidth=0, step="mid")
        axes.annotate(label, (where, counts.max() * 0.6), fontsize=9, color=colour, ha="center")
    limit = float(pixels.threshold_otsu(page))
    axes.axvline(limit, color=ACCENT, linewidth=1.2)
    axes.annotate(f"otsu: {limit:g}", (limit, 0.9), (6, 0), xycoords=("data", "axes fraction"),
                  textcoords="offset pixels", fontsize=9, color=ACCENT)  # fmt: skip
    axes.set_xlim(0, 255)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=Path(__file__).with_suffix(".png"), metavar="FILE.png")
    path = parser.parse_args().path
    draw(path)
    print(f"drawn: {path}")


if __name__ == "__main__":
    main()
