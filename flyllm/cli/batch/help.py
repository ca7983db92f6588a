"""What `flyllm batch --help` says beyond its options."""

_PARAGRAPHS = (
    "INPUT is JSON Lines, CSV or text. A line of JSON is a prompt, or an object with the fields of a request "
    "(prompt, messages, system, task, params, tools, custom_id, ...), or one of OpenAI's batch files, of which "
    "body.model is left aside: the configuration decides who answers. Of a CSV one column is the prompts; of a "
    "text every line is one.",
    "Results have the shape of the input: JSON Lines, OpenAI's batch output, or the CSV with further columns. A "
    "line that is no request becomes a failed result with the reason, is counted as failed, and costs the others "
    "nothing.",
    "With --output FILE every result is also in FILE.journal before it is in FILE. After a crash, Ctrl-C or a "
    "limit the same command with --resume sends only what has no answer yet and writes FILE anew, complete. The "
    "journal stays when everything is answered, so that nothing is ever sent twice; delete it when you are done.",
    "Exit codes: 0 everything answered; 1 an error that is told in one line; 2 wrong usage or a missing package; "
    "3 part of it answered, the others failed or not sent; 4 nothing answered; 130 Ctrl-C or SIGTERM.",
)

EPILOG = "\n\n".join(_PARAGRAPHS)
