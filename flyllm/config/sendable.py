"""What a provider can be sent: values that JSON can carry."""

import json
from typing import Any


def sendable(value: Any) -> Any:
    """Return a deep copy of `value` as JSON carries it; TypeError, ValueError or RecursionError if it cannot."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text.encode()  # lone surrogates have no encoding
    return json.loads(text)
