"""A request's form as the provider of an attempt takes it; worked out once for each of them, not for each request.

What works it out is a dozen modules, imported when the first schema is given.
"""

from functools import lru_cache
from importlib import import_module

from flyllm._routing.instance import Instance
from flyllm.providers.schemas.dialect import Adapted, SchemaDialect
from flyllm.structured import Form

KEPT = 1024
"""Forms times models that are remembered."""


def fitted(form: Form, instance: Instance) -> Adapted:
    """Return the `response_format` for `instance`, and what was changed in it."""
    if form.kind != "json_schema":
        return Adapted(form.response_format, ())
    return _fitted(form, instance.api.schemas, instance.model)


@lru_cache(KEPT)
def _fitted(form: Form, dialect: SchemaDialect | None, model: str) -> Adapted:
    made: Adapted = import_module("flyllm.providers.schemas.adapting").adapted(form.response_format, dialect, model)
    return made
