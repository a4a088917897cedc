"""Backbones: a table of sizes and a function of the size; stages are returned by name."""
