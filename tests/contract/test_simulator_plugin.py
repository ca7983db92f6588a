"""The pytest plugin."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

PLUGIN = "flyllm.testing.plugin"
ROOT = Path(__file__).resolve().parents[2]

PROBE = """
import sys
import flyllm.testing.plugin
heavy = {"h11", "asyncio", "flyllm.testing.simulator", "openai"} & set(sys.modules)
assert not heavy, heavy
"""

TEST = """
from flyllm.testing import ProviderSimulator

def test_fixture(provider_simulator):
    assert isinstance(provider_simulator, ProviderSimulator)
    assert provider_simulator.url("openai").startswith("http://127.0.0.1:")
"""


def run(*arguments: str) -> str:
    """Run this Python in the project's root and return all it prints, with its exit code at the end."""
    done = subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    return f"{done.stdout}{done.stderr}\nexit {done.returncode}"


def test_loading_the_plugin_is_cheap() -> None:
    """Every pytest run of a user loads the plugin: it brings neither h11 nor the simulator with it."""
    assert run("-c", PROBE).endswith("exit 0")


def test_a_missing_h11_names_the_extra() -> None:
    """Without the extra's package the error says what to install."""
    output = run("-c", "import sys; sys.modules['h11'] = None; from flyllm.testing import ProviderSimulator")
    assert 'MissingDependencyError: The provider simulator needs h11: pip install "flyllm[testing]"' in output


def test_the_fixture_yields_a_simulator(tmp_path: Path) -> None:
    """A test that takes `provider_simulator` gets a running one."""
    (tmp_path / "test_it.py").write_text(TEST)
    installed = any(e.value == PLUGIN for e in entry_points(group="pytest11"))
    plugin = () if installed else ("-p", PLUGIN)
    output = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, str(tmp_path), f"--rootdir={tmp_path}")
    assert output.endswith("exit 0"), output
