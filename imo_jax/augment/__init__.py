"""Augmentation on the device: pure functions of (examples as bytes, random numbers, settings).

`augmentation.of_eyes` and `of_images` are what a training uses. The random numbers of an example follow
from (seed, global example index) alone; what is done to it, from its numbers alone. Images come out as
words (`words`), which the training step unpacks.
"""
