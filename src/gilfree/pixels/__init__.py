"""From colour to black and white over several threads, with OpenCV's and scikit-image's answers."""

from gilfree.pixels._apply import threshold
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

__all__ = [
    "apply_hysteresis_threshold",
    "grayscale",
    "histogram",
    "threshold",
    "threshold_isodata",
    "threshold_li",
    "threshold_mean",
    "threshold_minimum",
    "threshold_multiotsu",
    "threshold_otsu",
    "threshold_triangle",
    "threshold_yen",
]
