"""`flyllm generate`: one prompt, one answer."""
