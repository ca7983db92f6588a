"""How many requests many threads get answered: by flyllm and by the SDK in its best arrangement, in turns.

`python -m benchmarks.threads [--quick] [--json FILE] [provider ...]`. What the figures mean: docs/benchmarks.md.
"""
