"""One way to ask what is wrong with a configuration."""

from collections.abc import Callable, Mapping

import pytest

from flyllm.config.toml_file import config_from_toml
from flyllm.errors import ConfigError

Faults = Callable[..., tuple[str, ...]]


@pytest.fixture
def faults() -> Faults:
    """Return a function that reads TOML text and returns its faults, none if it is valid."""

    def read(text: str, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
        try:
            config_from_toml(text, environ=environ or {})
        except ConfigError as error:
            return error.faults
        return ()

    return read
