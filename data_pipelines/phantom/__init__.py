"""Numerical eyes with known truth: fundus photograph, rim and cup mask, OCT cube, visual field.

`make_phantom` writes a data set; `python -m data_pipelines.phantom` does so from a shell. See
docs/phantom.md.
"""

from data_pipelines.phantom.dataset import make_phantom

__all__ = ["make_phantom"]
