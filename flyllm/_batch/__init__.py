"""Batches: any number of requests, in bounded memory, journalled, watched and stopped."""
