"""Ctrl-C works in the processes of these tests, however the suite was begun."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c() -> None:
    """Have processes begin with the usual SIGINT: a suite in a shell's background would hand on that it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
