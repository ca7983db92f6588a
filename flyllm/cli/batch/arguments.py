"""The arguments of `flyllm batch`: their names, limits and help."""

from typing import Annotated

from typer import Argument, Option

from flyllm.cli.batch.formats import Format
from flyllm.cli.completion import task_names

_LIMITS = "Limits"
_FILES = "Files"

Input = Annotated[str, Argument(metavar="INPUT", help="A file of prompts, or - for stdin.")]

FileFormat = Annotated[
    Format | None, Option("--format", help="Where the name does not tell; stdin is jsonl.", show_default=False)
]
Column = Annotated[str | None, Option(help="CSV: the column of prompts, 'prompt' if not given.", show_default=False)]
IdColumn = Annotated[
    str | None, Option(help="CSV: the column of the requests' names; 'custom_id' if there is one.", show_default=False)
]
Strict = Annotated[bool, Option("--strict", help="Stop at the first line that is no request.")]
Task = Annotated[
    str | None, Option(help="The task of requests that name none.", show_default=False, autocompletion=task_names)
]
Param = Annotated[
    list[str] | None,
    Option(help="NAME=VALUE, such as max_tokens=200, where a request does not say it; several times. JSON or text."),
]

Output = Annotated[
    str | None,
    Option("--output", "-o", help="Where results go, - for stdout, as if not given.", rich_help_panel=_FILES),
]
Resume = Annotated[
    bool, Option("--resume", help="Go on from the journal, if there is one already.", rich_help_panel=_FILES)
]
Force = Annotated[
    bool, Option("--force", help="Overwrite the results and the journal of an earlier run.", rich_help_panel=_FILES)
]
Journal = Annotated[
    str | None, Option("--journal", help="In the place of OUTPUT.journal.", rich_help_panel=_FILES, show_default=False)
]
Ordered = Annotated[
    bool, Option("--ordered", help="Results in the input's order, not as they come.", rich_help_panel=_FILES)
]

MaxWorkers = Annotated[
    int | None, Option(min=1, help="Threads at most; else what the instances can bear.", rich_help_panel=_LIMITS)
]
Window = Annotated[
    int | None, Option(min=1, help="Requests read ahead at most; else 1024 or more.", rich_help_panel=_LIMITS)
]
Deadline = Annotated[float | None, Option(min=0.001, help="Seconds for everything.", rich_help_panel=_LIMITS)]
MaxFailures = Annotated[
    int | None, Option(min=0, help="Stop when more requests than this have failed.", rich_help_panel=_LIMITS)
]
BudgetTokens = Annotated[int | None, Option(min=1, help="Stop when so many tokens are used.", rich_help_panel=_LIMITS)]
BudgetCost = Annotated[
    float | None,
    Option(min=0.0, help="Stop when so much is spent, by the configuration's prices.", rich_help_panel=_LIMITS),
]
Progress = Annotated[
    bool | None,
    Option("--progress/--no-progress", help="A bar on stderr, or lines where that is no terminal.", show_default=False),
]
