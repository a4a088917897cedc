"""Backbones, all called alike (encoder.py): an image becomes maps by stride. By name in table.py."""
