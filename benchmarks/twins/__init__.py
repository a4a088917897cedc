"""PyTorch twins of the networks: what they are timed against. They import torch and no jax.

Weights go over by `load_state_dict` of what imo_jax.weights writes; the layout inside is PyTorch's.
"""
