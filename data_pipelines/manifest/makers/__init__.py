"""Makers: known layouts on disk -> a manifest, id masks, and splits.

A maker reads a layout and returns what it found; `make.make_manifests` converts the masks,
draws the splits and writes everything to another folder. Nothing under the layout's root
is ever changed.
"""
