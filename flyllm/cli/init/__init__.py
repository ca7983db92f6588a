"""`flyllm init`: a first configuration for the keys that are there."""
