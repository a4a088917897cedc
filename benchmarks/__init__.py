"""Comparisons with other people's libraries, in one run and under the same conditions; and the study
that the default recipe was found by.

Imports imo_jax, numpy, pandas and, where PyTorch is the comparison, torch; runs without TensorFlow.
"""
