"""Gaussian diffusion of label embeddings: schedule, forward process, DDIM sampler. Knows no model."""
