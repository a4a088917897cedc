"""TFDS builders over manifests, and the cache that keeps what they prepared."""
