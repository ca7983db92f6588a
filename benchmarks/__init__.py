"""Benchmarks of flyllm: not part of the package, run from a checkout."""
