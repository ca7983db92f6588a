"""Adapters: each translates requests, answers, stream events and errors of one API, through its official SDK.

They know nothing of routing, retries or each other. `registry` is the table of all providers.
"""
