"""Structured output: the form that an answer is to have, and the value that it has then."""

from flyllm.structured.form import Form, Mismatch
from flyllm.structured.given import read_form

__all__ = ["Form", "Mismatch", "read_form"]
