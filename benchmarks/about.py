"""What figures were measured with, and where they are written."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from flyllm._version import __version__

PACKAGES = (
    "openai", "anthropic", "google-genai", "mistralai", "cohere", "groq", "ollama", "httpx", "httpx2", "httpcore2",
    "pydantic", "tenacity", "prometheus-client",
)  # fmt: skip


def about(*, quick: bool, packages: Iterable[str] = PACKAGES) -> dict[str, Any]:
    """Return machine, Python, versions, and whether it was a quick run."""
    return {
        "flyllm": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
            "processor": _processor(),
        },
        "versions": {name: found for name in packages if (found := _version(name))},
        "quick": quick,
    }


def write_json(file: Path | None, figures: Mapping[str, Any]) -> None:
    """Write `figures` to `file`, if there is one."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the processor's name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def commit() -> str:
    """Return the commit that is measured, "" outside of a clone."""
    try:
        command = ["git", "describe", "--always", "--dirty"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return ""
