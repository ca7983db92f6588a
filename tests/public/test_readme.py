"""README.md is true: its code runs, its table is the registry's, its links lead somewhere."""

import configparser
import re
import sys
from pathlib import Path

import pytest

from flyllm.config.toml_file import config_from_toml
from flyllm.providers.registry import REGISTRY
from flyllm.testing import Call, ProviderSimulator
from tests.public.processes import ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
_INSTANCE = re.compile(r'\.add_instance\("(\w+)", "[^"]+", os\.environ\["\w+"\]\)')


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in fenced if name == language]


def packages() -> dict[str, str]:
    """Return which package each extra installs."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = setup["options.extras_require"]
    return {extra: re.split(r"[<>=]", extras[extra].strip())[0] for extra in extras}


def provider_table() -> list[str]:
    sdks = packages()
    rows = []
    for spec in REGISTRY.values():
        apis = ", ".join(f"`{name}`" for name in spec.api_names)
        key = f"`{spec.key_variable}`" if spec.needs_key else "none"
        rows.append(f"| `{spec.name}` | {sdks[spec.extra]}, `{spec.extra}` | {spec.root} | {apis} | {key} |")
    return rows


def test_the_table_of_providers_is_the_registry():
    head = README.index("| Provider | SDK")
    rows = [line for line in README[head:].partition("\n\n")[0].splitlines() if line.startswith("| `")]
    assert rows == provider_table(), "README's table should be:\n" + "\n".join(provider_table())


def scene(call: Call) -> str:
    """Answer in the form that is wanted, if one is."""
    wanted = {"response_format", "output_config"} & set(call.body)
    return '{"title": "A lighthouse", "people": 2}' if wanted else "Fine."


def test_every_python_block_runs(provider_simulator: ProviderSimulator, tmp_path: Path):
    """The blocks follow on from one another, so they run as one program, with simulated providers for the real."""
    script = _INSTANCE.sub(
        lambda match: f'{match[0]}.custom_endpoint("{provider_simulator.url(match[1])}")', "\n".join(blocks("python"))
    )
    assert script.count("custom_endpoint") == 2
    script = f"import os; os.chdir({str(tmp_path)!r})\n{script}"
    (tmp_path / "lighthouse.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name in ("openai", "anthropic"):
        provider_simulator[name].reply(scene)
    done = run(sys.executable, "-W", "error", "-c", script, OPENAI_API_KEY="a", ANTHROPIC_API_KEY="b")
    assert done.returncode == 0, done.stderr
    assert "--- Token Usage Statistics ---" in done.stdout
    assert sum(instance.count for instance in provider_simulator) == 11


def test_the_quick_start_has_twelve_lines_of_code_at_most():
    assert sum(bool(line.strip()) for line in blocks("python")[0].splitlines()) <= 12


def test_every_toml_block_is_a_configuration():
    for text in blocks("toml"):
        assert config_from_toml(text, environ={"OPENAI_API_KEY": "a"}).instances


def test_every_extra_exists():
    named = re.findall(r'"flyllm\[([\w,]+)\]"', README)
    assert named
    assert {extra for group in named for extra in group.split(",")} <= packages().keys()


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_every_link_to_a_file_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_make_target_and_option_exists():
    shell = "\n".join(blocks(""))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{target}:" in makefile for target in re.findall(r"^make (\w+)", shell, re.MULTILINE))
    commands = re.findall(r"^flyllm (\w+)([^#\n]*)", shell, re.MULTILINE)
    assert commands
    for command, options in commands:
        done = run(sys.executable, "-m", "flyllm.cli", command, "--help")
        assert done.returncode == 0
        assert all(option in done.stdout for option in re.findall(r"--\w+", options))
