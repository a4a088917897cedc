"""Augmentation on the device: pure functions of (examples as bytes, random numbers, settings).

`draw_eyes` and `draw_images` make the numbers, each example's from a key of its own; `apply_eyes` and
`apply_images` are functions of an example and its numbers. Images come out as words
(`imo_jax.augment.words`), which `unpack_eyes` and `unpack_images` read in the training step.
"""
