"""One way to ask what is wrong with a configuration."""

import tomllib
from collections.abc import Callable, Mapping

import pytest

from flyllm.config.toml_file import config_from_dict
from flyllm.errors import ConfigError

Faults = Callable[..., tuple[str, ...]]


@pytest.fixture
def faults() -> Faults:
    """Return a function that gives the faults of TOML text, without their lines; none if it is valid."""

    def read(text: str, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
        try:
            config_from_dict(tomllib.loads(text), environ or {})
        except ConfigError as error:
            return error.faults
        return ()

    return read
