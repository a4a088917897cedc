"""How long ours takes beside PyTorch, in one run: `python -m benchmarks.speed --help`.

One process an implementation, which take turns; the parent process only keeps time and books.
"""
