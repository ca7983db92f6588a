"""`flyllm batch`: a file of prompts in, a file of answers out, in the same shape."""
