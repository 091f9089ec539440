"""From colour to black and white over several threads, with OpenCV's and scikit-image's answers."""

from gilfree.pixels._apply import threshold
from gilfree.pixels._binarize import binarize
from gilfree.pixels._files import binarize_files
from gilfree.pixels._grey import grayscale
from gilfree.pixels._histograms import threshold_otsu

__all__ = ["binarize", "binarize_files", "grayscale", "threshold", "threshold_otsu"]
