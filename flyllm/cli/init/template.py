"""The text of a starter file. Its keys are names of variables, never their values."""

from collections.abc import Iterable, Iterator, Sequence

from flyllm.cli.init.settings import setting_lines
from flyllm.cli.init.starters import Starter

_HEAD = """\
# Which providers answer, and for which tasks. After a change: flyllm check, and flyllm check --live
# ${NAME} is a variable of the environment, ${NAME:-text} one with a default; so no key stands in this file.
# For an editor that completes and checks it: flyllm schema --output flyllm.schema.json, and as the first line
#   #:schema ./flyllm.schema.json

[settings]"""

_TASKS = """\
# A task is a name that requests are sent under, with parameters for all of them; what a parameter is called is the same
# for every provider: max_tokens temperature top_p top_k stop seed presence_penalty frequency_penalty reasoning_effort
[[tasks]]
name = "chat"
max_tokens = 1000

[[tasks]]
name = "summary"
max_tokens = 400
# timeout = 60                  # seconds for a request of this task"""

_PROVIDERS = """\
# Each block is an instance: a provider, a model and a key. A task goes to any instance that lists it, and on to another
# one when that fails. `flyllm models` lists the models a key can use. Besides the keys below an instance may have:
#   name = "main"               its name in logs and results
#   api_key_file = "/run/..."   the key in a file, in the place of api_key
#   endpoint = "https://..."    another address than the provider's own
#   rpm = 500                   requests, and with tpm tokens, that the key is granted a minute
#   max_concurrency = 16        requests at once
#   priority = 1                a backup, for when none of priority 0 can answer
#   cannot = ["images"]         what its model cannot do of what the provider can: tools images schemas embeddings
#   input_cost = 0.25           price of a million tokens, goes with output_cost; for budgets and bills
#   params = { temperature = 0.2 }"""

_OTHERS = """\
# Providers of which no key was found, and servers on this machine: set the variable, remove the # signs."""


def starter_file(starters: Sequence[Starter]) -> str:
    """Return a valid configuration for those of `starters` that are found; the others are commented out.

    Where none is found, it is for a server that needs no key: Ollama on this machine.
    """
    active = active_among(starters)
    others = [starter for starter in starters if starter not in active]
    parts = ["\n".join((_HEAD, *setting_lines())), _TASKS, _PROVIDERS]
    parts += map(_block, active)
    if others:
        parts += [_OTHERS, *map(_commented, map(_block, others))]
    return "\n\n".join(parts) + "\n"


def active_among(starters: Iterable[Starter]) -> list[Starter]:
    """Return the starters that a file for them uses: those that are found, else the first that needs no key."""
    starters = list(starters)
    return [starter for starter in starters if starter.found] or [
        next(starter for starter in starters if not starter.variable)
    ]


def _block(starter: Starter) -> str:
    return "\n".join(_lines(starter))


def _lines(starter: Starter) -> Iterator[str]:
    yield "[[providers]]"
    yield f'type = "{starter.provider}"'
    yield f'model = "{starter.model}"'
    if starter.variable:
        yield f'api_key = "${{{starter.variable}}}"'
    yield 'tasks = ["chat", "summary"]'


def _commented(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.splitlines())
