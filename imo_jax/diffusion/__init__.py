"""Gaussian diffusion of label embeddings: schedule, forward process, DDIM. Knows no model."""
