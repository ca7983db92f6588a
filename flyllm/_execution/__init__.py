"""How a request runs: the attempt loop, and the call, stream and batch that use it."""
