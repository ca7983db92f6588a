"""`import flyllm` costs nothing: it loads none of what it may need later."""

import os
import subprocess
import sys

from tests.public.processes import environment, run

HEAVY = (
    "openai",
    "anthropic",
    "google.genai",
    "mistralai",
    "cohere",
    "groq",
    "ollama",
    "pydantic",
    "pydantic_core",
    "prometheus_client",
    "typer",
    "rich",
    "tenacity",
    "httpx",
    "httpx2",
    "h11",
)
MOST = 0.060
"""Seconds of processor time that the import may add to an empty process."""
ROUNDS = 7


def test_importing_flyllm_imports_no_sdk_and_no_other_package():
    script = f"import sys, flyllm; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert run(sys.executable, "-c", script).stdout.strip() == "[]"


def test_importing_flyllm_takes_no_time_worth_noticing():
    """Processor time, the least of several runs: other processes disturb it little, a heavy import a lot."""
    empty = min(seconds("pass") for _ in range(ROUNDS))
    imported = min(seconds("import flyllm") for _ in range(ROUNDS))
    assert imported - empty <= MOST


def seconds(script: str) -> float:
    """Return the processor time that a fresh interpreter takes for `script`."""
    process = subprocess.Popen([sys.executable, "-c", script], env=environment())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


def test_openai_never_meets_an_httpx_that_another_thread_is_still_importing():
    """The SDK looks for `httpx` among the loaded modules on every call, cohere's first request loads it."""
    script = "import sys, flyllm.providers.openai_sdk; print(hasattr(sys.modules.get('httpx'), 'Response'))"
    assert run(sys.executable, "-c", script).stdout.strip() == "True"
