"""Providers that answer every request after the same time, as a process of its own."""
