"""What batches cost: wall time against the ideal and the SDK by hand, memory, and processor time of the engine alone.

`python -m benchmarks.batches [--quick] [--json FILE]`. What the figures mean: docs/benchmarks.md.
"""
