"""What a streamed event costs in processor time: flyllm against the same SDK's typed stream, read by hand.

`python -m benchmarks.streams [--quick] [--json FILE] [provider ...]`. What the figures mean: docs/benchmarks.md.
"""
