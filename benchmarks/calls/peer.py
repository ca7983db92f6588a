"""Another library in its own environment: `PYTHON -m benchmarks.calls.peer name URL`.

Says its version, then for every number read what so many calls took. Imports nothing of flyllm.
"""

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from benchmarks.calls.timing import settle, time_calls

MODEL = "some-model"
KEY = "k-0123456789"

WARM_UP = 20
"""Calls before anything is timed."""


def _messages(prompt: str) -> Any:
    return [{"role": "user", "content": prompt}]


def _litellm(url: str) -> Callable[[str], Any]:
    import litellm  # type: ignore[import-not-found,unused-ignore]

    place = {"model": f"openai/{MODEL}", "api_key": KEY, "api_base": url + "/v1", "num_retries": 0}
    return lambda prompt: litellm.completion(messages=_messages(prompt), **place)


def _router(url: str) -> Callable[[str], Any]:
    from litellm import Router  # type: ignore[import-not-found,unused-ignore]

    params = {"model": f"openai/{MODEL}", "api_key": KEY, "api_base": url + "/v1"}
    router = Router([{"model_name": "some", "litellm_params": params}])
    return lambda prompt: router.completion("some", _messages(prompt))


def _any_llm(url: str) -> Callable[[str], Any]:
    import any_llm  # type: ignore[import-not-found,unused-ignore]

    place = {"model": MODEL, "provider": "openai", "api_key": KEY, "api_base": url + "/v1"}
    return lambda prompt: any_llm.completion(messages=_messages(prompt), **place)


PEERS: dict[str, tuple[str, Callable[[str], Callable[[str], Any]]]] = {
    "litellm.completion": ("litellm", _litellm),
    "LiteLLM Router": ("litellm", _router),
    "any-llm": ("any-llm-sdk", _any_llm),
}
"""Their packages, and how they are asked, as their READMEs show."""


def main() -> None:
    """Serve until the input ends."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would ask the network for prices
    package, make = PEERS[sys.argv[1]]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints is not for the bench
    ask = make(sys.argv[2])

    def said(prompt: str) -> tuple[str | None, Any]:
        answer = ask(prompt)
        return answer.choices[0].message.content, answer.usage

    print(json.dumps({"version": version(package)}), file=out, flush=True)
    time_calls(said, WARM_UP)
    settle()
    for line in sys.stdin:
        print(json.dumps(time_calls(said, int(line))._asdict()), file=out, flush=True)


if __name__ == "__main__":
    main()
