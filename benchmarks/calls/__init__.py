"""What a call costs: through flyllm, by the SDK by hand, and through other libraries, over the same bytes.

`python -m benchmarks.calls [--quick] [--json FILE] [--peers PYTHON] [provider ...]`. What the figures mean:
docs/benchmarks.md.
"""
