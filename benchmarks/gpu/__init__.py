"""All that is worth knowing on a GPU, in one command: `python -m benchmarks.gpu --minutes=8`."""
