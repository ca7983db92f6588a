"""The sixty rows of the fault matrix (`RELIABILITY.md`, section 3): what each is, and where it is tested.

A test says which rows it proves with `@row(19)`, or on a parameter with `marks=row(19)`; the rows' numbers are the
specification's. `ELSEWHERE` names the files that prove a row, or the part of it, that needs a process of its own or
stands in another suite; `NOT_TESTED` says why something cannot be tested here. `test_fault_matrix_complete.py`
holds all of this to be complete.

Every test runs in a `World`, which checks at its end what holds in every row: each request has exactly one result
(L), no answer is fetched twice (D), the order is kept (O), no key shows in any text (K), and after `close()` no
lease, thread or connection is left (R). A test adds what its row adds: bounds on wire requests (W) and time (T).
"""

import pytest

row = pytest.mark.row
"""Mark a test, or a parameter, with the numbers of the rows it proves."""

ROWS = {
    1: "connect refused, one of k",
    2: "connect blackholed",
    3: "DNS: unknown host, then resolves",
    4: "TLS: bad certificate, handshake cut",
    5: "accepted, then reset before the request is read",
    6: "reset or closed on a reused connection before any byte",
    7: "reset after headers, before the body",
    8: "headers never come",
    9: "headers trickle",
    10: "body trickles",
    11: "Content-Length larger than the body",
    12: "chunked body cut in a chunk",
    13: "200 with truncated JSON",
    14: "200 with an HTML login page",
    15: "HTML 502/504 from a proxy",
    16: "a burst of 500, then ok",
    17: "500 on one instance always",
    18: "500 at 10/20/30/50 % on all",
    19: "429 Retry-After: 2",
    20: "429 with an HTTP date, server clock an hour off",
    21: "429 retry-after-ms",
    22: "429 Retry-After: 86400",
    23: "429 with nonsense in Retry-After",
    24: "429 storm without header on all instances",
    25: "undeclared concurrency ceiling",
    26: "undeclared rpm, refusals charged",
    27: "declared rpm and tpm",
    28: "x-ratelimit-remaining: 0 on a 200",
    29: "insufficient quota on one key",
    30: "401 on one key, then the key is fixed",
    31: "401/402 on all",
    32: "403 moderation against 403 permission",
    33: "404 model on one",
    34: "400/413/422",
    35: "context length exceeded",
    36: "content filter, as 400 and as 200",
    37: "Anthropic's 529 at one provider",
    38: "301/307 to another host",
    39: "5 GB body, 10 MB header, gzip bomb",
    40: "invalid UTF-8, BOM, NUL, lone surrogates",
    41: "odd choices and usage",
    42: "error inside a 200, and in a stream",
    43: "stream cut anywhere",
    44: "stream with a clean end and no terminal event",
    45: "stream stalls, or only comments come",
    46: "odd server-sent events",
    47: "consumer abandons a stream",
    48: "one instance ten times slower, then recovers",
    49: "one instance flaps",
    50: "all down for 60 s, then back",
    51: "all down, open loop with deadlines",
    52: "wall clock jumps by an hour",
    53: "fork and worker processes",
    54: "close() during a batch, twice, from a callback",
    55: "signals, and exit with hung sockets",
    56: "user code raises; Ctrl-C inside acquire",
    57: "debug folder fails or is slow",
    58: "broken configuration",
    59: "EMFILE, no threads, MemoryError",
    60: "proxies, 1xx, Connection: close, HTTP/1.0",
}

ELSEWHERE = {
    53: ("tests/public/test_process_fork.py",),
    54: ("tests/public/test_process_exit.py",),
    55: ("tests/public/test_process_exit.py",),
    58: ("tests/unit/config/test_validate.py", "tests/unit/config/test_toml_file.py"),
    59: ("tests/public/test_process_exit.py",),
}

NOT_TESTED = {
    52: "suspend and resume: Linux stops CLOCK_MONOTONIC meanwhile, which no test can bring about; the jump of the "
    "wall clock that follows is tested",
}
