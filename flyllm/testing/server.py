"""The background thread with the event loop, and one listening port per simulated provider."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")
_BACKLOG = 4096


class LoopThread:
    """An event loop in a daemon thread of its own. All methods but `call` are for other threads."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="flyllm-simulator", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run `work` in the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def stop(self) -> None:
        """Cancel what still runs and end the thread."""
        self.run(self._drain())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    @staticmethod
    async def _drain() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class Listener:
    """One port that can be closed (connections are refused) and opened again under the same number.

    A second socket stays bound to the port without listening, so that nobody else is given it meanwhile.
    Where the system has no SO_REUSEPORT the port is free while it is closed.
    """

    def __init__(self, host: str, port: int, protocol: Callable[[], asyncio.Protocol], thread: LoopThread) -> None:
        self.host, self._protocol, self._thread = host, protocol, thread
        self._server: asyncio.Server | None = None
        if port:
            # SO_REUSEPORT would share a port with another program of this user; without it the bind fails.
            _bound(host, port, reuse=False).close()
        self._reserved = _bound(host, port)
        self.port: int = self._reserved.getsockname()[1]
        if not hasattr(socket, "SO_REUSEPORT"):
            self._reserved.close()

    @property
    def listening(self) -> bool:
        """Whether connections are accepted."""
        return self._server is not None

    async def open(self) -> None:
        """Accept connections; nothing happens where that is so already."""
        if self._server is None:
            sock = _bound(self.host, self.port)
            self._server = await self._thread.loop.create_server(self._protocol, sock=sock, backlog=_BACKLOG)

    async def close(self) -> None:
        """Refuse connections from now on; open ones are the caller's business."""
        server, self._server = self._server, None
        if server is None:
            return
        for sock in server.sockets:
            self._thread.loop.remove_reader(sock.fileno())
        # What was accepted just now must be a connection first: asyncio would drop it, open, for having no server.
        for _ in range(2):
            await asyncio.sleep(0)
        server.close()

    def release(self) -> None:
        """Give the port back for good."""
        self._reserved.close()


def _bound(host: str, port: int, *, reuse: bool = True) -> socket.socket:
    # asyncio sets TCP_NODELAY only where it sees that this is TCP; without it every small piece waits 40 ms for an ACK.
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse and hasattr(socket, "SO_REUSEPORT"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
