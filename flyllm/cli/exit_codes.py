"""The exit codes of all commands; 1 is a failure told in one line, 2 wrong usage or a missing package."""

ALL, PARTIAL, NOTHING, INTERRUPTED = 0, 3, 4, 130
"""Everything was answered, some of it was, none of it was, Ctrl-C."""


def code_of(answered: int, failed: int) -> int:
    """Return the code of a command that asks several instances; where there is none to ask, none answers."""
    if not answered:
        return NOTHING
    return PARTIAL if failed else ALL
