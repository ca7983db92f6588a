"""flyllm (being assembled)."""
