"""The command line of `flyllm generate`."""

from typing import Annotated

from typer import Argument, Option

from flyllm.cli.options import Config, Json, TaskName, params_of

EPILOG = "\n\n".join(
    (
        "Examples:",
        'flyllm generate "What is the capital of France?"',
        "cat report.txt | flyllm generate --task summary --stream",
        'flyllm generate "Name a colour" --param temperature=1.2 --json | jq .usage',
        "stdout gets the answer and nothing else; --json prints it with usage, attempts and cost, and with --stream a "
        'line for each chunk and at last {"response": ...}. An answer that breaks off is printed as far as it came.',
        "Exit codes: 0 answered; 1 an error that is told in one line; 2 wrong usage or a missing package; 130 Ctrl-C.",
    )
)


def generate(
    prompt: Annotated[
        str | None, Argument(metavar="[PROMPT]", help="Stdin if not given, or -.", show_default=False)
    ] = None,
    config: Config = None,
    task: Annotated[str | None, TaskName] = None,
    stream: Annotated[bool, Option("--stream", "-s", help="Print the answer as it comes.")] = False,
    as_json: Json = False,
    param: Annotated[
        list[str] | None, Option(help="NAME=VALUE, such as max_tokens=200; several times. JSON or text.")
    ] = None,
    system: Annotated[str | None, Option(help="A system prompt.", show_default=False)] = None,
    timeout: Annotated[
        float | None, Option(min=0.001, help="Seconds for everything; else the task's or the settings'.")
    ] = None,
) -> None:
    """Answer one prompt: from the command line or stdin, to stdout."""
    # Here, because the other commands do without a manager.
    from flyllm.cli.configuration import configuration
    from flyllm.cli.generate.objects import print_object, print_objects
    from flyllm.cli.generate.prompt import prompt_of
    from flyllm.cli.generate.text import print_stream, print_whole
    from flyllm.manager import LLMManager
    from flyllm.request import GenerationRequest

    params = params_of(param)
    configured = configuration(config, task)
    request = GenerationRequest(prompt_of(prompt), task, params, system=system, timeout=timeout)
    printer = {
        (False, False): print_whole,
        (True, False): print_stream,
        (False, True): print_object,
        (True, True): print_objects,
    }[stream, as_json]
    with LLMManager(configured) as manager:
        printer(manager, request)
