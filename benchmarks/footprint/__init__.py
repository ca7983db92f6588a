"""What flyllm takes before and beside requests: import, building, choosing, threads, the queue, TLS contexts.

`python -m benchmarks.footprint [--quick] [--json FILE]`. What the figures mean: docs/benchmarks.md.
"""
