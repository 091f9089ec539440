"""From colour to black and white over several threads, with OpenCV's and scikit-image's answers."""

from gilfree.pixels._apply import threshold
from gilfree.pixels._binarize import binarize
from gilfree.pixels._files import binarize_files
from gilfree.pixels._grey import grayscale
from gilfree.pixels._histograms import threshold_otsu
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
    "binarize",
    "binarize_files",
    "grayscale",
    "threshold",
    "threshold_bradley",
    "threshold_local",
    "threshold_niblack",
    "threshold_nick",
    "threshold_otsu",
    "threshold_phansalkar",
    "threshold_sauvola",
    "threshold_singh",
    "threshold_wolf",
]
