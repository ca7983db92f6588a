"""Python functions as tools: what a model is told of them, and its arguments made into values."""

from flyllm.tools.tool import Tool, tool_schema

__all__ = ["Tool", "tool_schema"]
