"""When tenacity is imported: not before it is needed, or wanted beforehand."""

import sys

from flyllm.testing import ProviderSimulator
from tests.public.processes import run

SCRIPT = """
import sys
from flyllm import LLMManager
builder = LLMManager.builder().add_instance("openai", "m", "k", endpoint="{url}")
with builder.build() as manager:
    {first}
    print("tenacity" in sys.modules)
"""


def loaded(first: str) -> bool:
    """Whether it is loaded once a process has done that first."""
    with ProviderSimulator() as simulator:
        provider = simulator.add("openai")
        process = run(sys.executable, "-c", SCRIPT.replace("{url}", provider.url).replace("{first}", first))
    assert process.returncode == 0, process.stderr
    return process.stdout.strip() == "True"


def test_an_answer_needs_no_tenacity() -> None:
    """Nor does the import of the manager."""
    assert not loaded("manager.generate('Hi')")


def test_warming_up_imports_it() -> None:
    """So that the first failure takes no longer than others."""
    assert loaded("manager.warm()")
