"""What can go wrong with a connection, by the names that all HTTP libraries of this family have for it."""


class ConnectError(Exception):
    """No connection was made."""


class ReadError(Exception):
    """The connection broke while the answer was read."""


class WriteError(Exception):
    """The connection broke while the request was sent."""


class RemoteProtocolError(Exception):
    """What the server sent is no HTTP, or ends too early."""


class LocalProtocolError(Exception):
    """The request cannot be said in HTTP."""


BROKEN = (ReadError, WriteError, RemoteProtocolError)
"""What a server's closing of a kept connection looks like."""
