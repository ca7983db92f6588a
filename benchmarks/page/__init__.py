"""The figures on the documentation's page, from the benches' JSON: `python -m benchmarks.page`."""
