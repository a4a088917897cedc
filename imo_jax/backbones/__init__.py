"""Backbones, all called alike (encoder.py): an image becomes maps by stride. table.py has all."""
