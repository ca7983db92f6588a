"""Validators of the providers' published request schemas (`../shared/specs`, or the folder in FLYLLM_SPECS)."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

FOLDER = Path(os.environ.get("FLYLLM_SPECS") or Path(__file__).parents[3] / "shared" / "specs")


@cache
def validator(document: str, schema: str) -> Draft202012Validator:
    """Return the validator of one schema; skip the test where the documents are absent."""
    file = FOLDER / f"{document}.json"
    if not file.exists():
        pytest.skip(f"no published descriptions in {FOLDER} (set FLYLLM_SPECS)")
    components = json.loads(file.read_text("utf-8"))["components"]
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": components})


def faults(check: Draft202012Validator, body: Any) -> list[str]:
    """Return what a schema says against `body`."""
    return [f"{error.json_path}: {error.message[:200]}" for error in check.iter_errors(body)]
