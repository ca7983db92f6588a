"""docs/architecture.md names only what exists."""

import re

from tests.public.processes import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_module_it_names_exists():
    named = re.findall(r"`((?:flyllm/)?[\w/]+(?:\.py|/))`", PAGE)
    assert len(named) > 20
    missing = [name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "flyllm"))]
    assert missing == []


def test_every_layer_of_the_import_contract_is_there_in_its_order():
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    contract = re.search(r"^layers =\n((?:    .+\n)+)", setup, re.MULTILINE)
    drawn = re.search(r"^```layers\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert contract
    assert drawn
    assert [line.split("  ")[0].strip() for line in drawn[1].splitlines()] == [
        line.strip() for line in contract[1].splitlines()
    ]
