"""Fresh Python processes for the public tests: the command line, examples, imports."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

HANG = 180.0
"""Seconds after which a process counts as hanging; on a busy machine the imports alone may take a third of them."""

CANARY = "sk-canary-0123456789abcdef0123456789abcdef"

COMMAND = (sys.executable, "-m", "flyllm.cli")

_GUARD = """
import os, sys

LOOPBACK = ("127.0.0.1", "::1", "localhost", None)

def guard(event, args):
    if event == "socket.connect":
        host = args[1][0] if isinstance(args[1], tuple) else None
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if host not in LOOPBACK:
        os.write(2, f"LEFT THE MACHINE: {event} {host}".encode())
        os._exit(97)

sys.addaudithook(guard)
"""

LOOPBACK_ONLY = (sys.executable, "-c", _GUARD + "from flyllm.cli import main\nsys.exit(main())")
"""The command in a process that dies with 97 as soon as it looks beyond this machine."""


def without(*modules: str) -> tuple[str, ...]:
    """Return the command in a process where these modules are not installed."""
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in modules)
    return (sys.executable, "-c", f"import sys; {blocked}\nfrom flyllm.cli import main\nsys.exit(main())")


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without anything that colours output or names a provider."""
    hidden = ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "CI", "GITHUB_ACTIONS")
    kept = {k: v for k, v in os.environ.items() if k not in hidden and not k.endswith(("_API_KEY", "_BASE_URL"))}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"} | changes


def run(*command: str, given: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a process to its end."""
    return subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=HANG,
        check=False,
        cwd=ROOT,
        env=environment(**variables),
    )


def start(*command: str) -> "subprocess.Popen[str]":
    """Start a process whose output is read line by line."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env=environment(),
    )
