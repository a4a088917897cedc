"""Everything between files on disk and numpy batches: manifests, readers, phantom, loaders.

This room never imports jax, imo_jax or experiments. TensorFlow is imported only by
the TFDS builders and the tf.data loaders.
"""
