"""Comparisons with other people's libraries, in one run and under the same conditions.

Imports imo_jax, numpy and, where PyTorch is the comparison, torch; runs without TensorFlow.
"""
