"""Locks that are held across a fork, so that a child never has a copy of one that nobody will release.

prometheus_client has a lock in every value. A child forked while another thread is counting or being scraped would
hang at its first request.
"""

import os
import threading

scraping = threading.RLock()
"""Held while values are read; taken before `counting` where both are."""

counting = threading.RLock()
"""Held while values change, for microseconds."""

if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    for lock in (counting, scraping):  # what is registered last is called first before a fork
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
