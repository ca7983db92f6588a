"""Goodput under faults: what flyllm achieves, as a ratio to the computed optimum, over real SDKs and sockets.

`python -m benchmarks.goodput --help`. What the figures mean: docs/benchmarks.md.
"""
