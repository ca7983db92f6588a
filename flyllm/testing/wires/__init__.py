"""The wire formats of the simulated providers: pure functions from a scripted reply to bytes, no sockets.

They follow what each provider documents, never what flyllm's adapters happen to read.
"""
