"""The models: complete, immutable, silent about keys, cheap to import."""

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields

import pytest

from flyllm._secret import Secret
from flyllm.config.kinds import INSTANCE_KINDS, SETTING_KINDS, TASK_KINDS
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.tasks import TaskDefinition

CANARY = "sk-canary-51fb0d22e7"


def names(model):
    return [field.name for field in fields(model)]


def test_every_field_has_a_kind_and_every_kind_a_field():
    assert list(INSTANCE_KINDS) == names(InstanceConfig)
    assert list(TASK_KINDS) == names(TaskDefinition)
    assert list(SETTING_KINDS) == [name for name in names(ManagerConfig) if name not in ("instances", "tasks")]


def test_no_repr_shows_a_key_or_a_header():
    instance = InstanceConfig("openai", "gpt-4", Secret(CANARY), headers={"Authorization": f"Bearer {CANARY}"})
    assert CANARY not in repr(instance)
    assert CANARY not in repr(ManagerConfig((instance,)))
    assert "gpt-4" in repr(ManagerConfig((instance,)))


def test_configurations_do_not_change():
    with pytest.raises(FrozenInstanceError):
        ManagerConfig(()).max_retries = 1


@pytest.mark.parametrize("module", ["flyllm.config.model", "flyllm.config.validate", "flyllm.builder"])
def test_importing_needs_no_sdk_and_no_pydantic(module):
    program = (
        f"import sys, {module}\n"
        "heavy = {'pydantic', 'httpx', 'openai', 'anthropic', 'google', 'mistralai', 'cohere', 'groq', 'ollama'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
