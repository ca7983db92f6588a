"""The table of providers is complete, and each of its rows can be built."""

import re
from importlib.util import find_spec
from urllib.parse import urlsplit

import pytest

from flyllm._secret import Secret
from flyllm.errors import ConfigError
from flyllm.providers.base import ProviderSettings
from flyllm.providers.registry import REGISTRY, create_provider, provider_spec
from flyllm.request import COMMON_PARAMS
from flyllm.types import ProviderType

DOORS = [pytest.param(spec, api, id=f"{spec.name}-{api.name}") for spec in REGISTRY.values() for api in spec.apis]


def test_the_table_holds_exactly_the_provider_types() -> None:
    """Each under its own name, in the order of the enumeration's words."""
    assert set(REGISTRY) == {str(kind) for kind in ProviderType}
    assert all(name == spec.name == name.lower() for name, spec in REGISTRY.items())


@pytest.mark.parametrize("spec", REGISTRY.values(), ids=lambda spec: spec.name)
def test_a_row_is_whole(spec) -> None:  # type: ignore[no-untyped-def]
    """A public root without path, APIs of different names, a variable where a key is needed."""
    root = urlsplit(spec.root)
    assert root.scheme in ("http", "https")
    assert root.path == ""
    assert len(set(spec.api_names)) == len(spec.apis) > 0
    assert bool(spec.key_variable) == spec.needs_key
    assert spec.extra


@pytest.mark.parametrize(("spec", "api"), DOORS)
def test_an_api_is_whole(spec, api) -> None:  # type: ignore[no-untyped-def]
    """Known parameters, a limit of tokens among them; a pattern that compiles; a module that exists."""
    assert set(api.params) <= set(COMMON_PARAMS)
    assert "max_tokens" in api.params
    assert len(set(api.params.values())) == len(api.params)
    re.compile(api.suffix)
    assert re.fullmatch(r"(/.*[^/])?", api.version)
    assert api.path
    module, _, attribute = api.adapter.partition(":")
    assert attribute
    assert find_spec(module) is not None


@pytest.mark.parametrize(("spec", "api"), DOORS)
def test_every_adapter_has_the_providers_methods(spec, api) -> None:  # type: ignore[no-untyped-def]
    """Built without a request; closing one that was never used is harmless."""
    made = create_provider(ProviderSettings(spec, api, Secret("k-0123456789"), "http://127.0.0.1:1" + api.version))
    assert all(callable(getattr(made, name)) for name in ("generate", "stream", "list_models", "close"))
    made.close()
    made.close()


@pytest.mark.parametrize("name", ["OpenAI", "GROQ", "lmStudio", ProviderType.MISTRAL])
def test_names_match_in_any_case(name: str) -> None:
    """As in FlyLLM for Rust."""
    assert provider_spec(name).name == name.lower()


@pytest.mark.parametrize("name", ["", "openai2", "None"])
def test_an_unknown_name_lists_the_valid_ones(name: str) -> None:
    """In the words its users search for."""
    with pytest.raises(ConfigError, match=f"Unknown provider type '{name}'") as caught:
        provider_spec(name)
    assert all(known in str(caught.value) for known in REGISTRY)
