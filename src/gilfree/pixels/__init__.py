"""From colour to black and white over several threads, with OpenCV's and scikit-image's answers."""

from gilfree.pixels._apply import threshold
from gilfree.pixels._binarize import binarize
from gilfree.pixels._files import binarize_files
from gilfree.pixels._grey import grayscale
from gilfree.pixels._histograms import (
    histogram,
    threshold_isodata,
    threshold_li,
    threshold_mean,
    threshold_minimum,
    threshold_multiotsu,
    threshold_otsu,
    threshold_triangle,
    threshold_yen,
)
from gilfree.pixels._hysteresis import apply_hysteresis_threshold
from gilfree.pixels._windows import (
    adaptive_threshold,
    threshold_bradley,
    threshold_local,
    threshold_niblack,
    threshold_nick,
    threshold_phansalkar,
    threshold_sauvola,
    threshold_singh,
    threshold_wolf,
)

__all__ = [
    "adaptive_threshold",
    "apply_hysteresis_threshold",
    "binarize",
    "binarize_files",
    "grayscale",
    "histogram",
    "threshold",
    "threshold_bradley",
    "threshold_isodata",
    "threshold_li",
    "threshold_local",
    "threshold_mean",
    "threshold_minimum",
    "threshold_multiotsu",
    "threshold_niblack",
    "threshold_nick",
    "threshold_otsu",
    "threshold_phansalkar",
    "threshold_sauvola",
    "threshold_singh",
    "threshold_triangle",
    "threshold_wolf",
    "threshold_yen",
]
