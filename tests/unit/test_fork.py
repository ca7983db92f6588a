"""A forked child lets go of what it must not share."""

import os
import sys

import pytest

from flyllm._fork import after_fork

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


class Holder:
    def __init__(self) -> None:
        self.told = 0

    def let_go(self) -> None:
        self.told += 1

    def fail(self) -> None:
        raise RuntimeError("in the hook")


def status_of_child(holder: Holder) -> int:
    """Fork; the child's exit status is how often `holder` was told."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os._exit(holder.told)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_child_is_told_once_and_the_parent_not() -> None:
    """Also when another holder's hook fails: an exception there must not end the child."""
    broken, holder = Holder(), Holder()
    after_fork(broken, Holder.fail)
    after_fork(holder, Holder.let_go)
    assert status_of_child(holder) == 1
    assert holder.told == 0
