"""One image, however it is given, as a URL: of the web, or with its data in it.

A file is read where it is given as a path, never where a string happens to be the name of one.
"""

import os
import stat
from base64 import b64decode, b64encode
from os import PathLike
from string import ascii_letters, digits
from typing import Any

from flyllm.errors import ConfigError

_BASE64 = f"{ascii_letters}{digits}+/".encode()
_BEGINNING = 24  # characters of base64: more bytes than any kind of image is told by


def url_of(given: Any) -> str:
    """Return the URL of an image given as a URL, bytes or a path; raise `ConfigError` where it is none."""
    if isinstance(given, str):
        return _checked(given)
    if isinstance(given, bytes | bytearray | memoryview):
        return _data_url(bytes(given))
    if isinstance(given, PathLike):
        return _data_url(_read(given), f"{given}: ")
    raise ConfigError(f"an image is a URL, bytes or a pathlib.Path, not {type(given).__name__}")


def is_web(url: Any) -> bool:
    """Tell whether a URL is one to be fetched, rather than one with data in it."""
    return isinstance(url, str) and url[:8].lower().startswith(("https://", "http://"))


def _checked(url: str) -> str:
    """Return a URL; raise `ConfigError` for any other string, and for data that is none."""
    if is_web(url):
        if not all(map(str.isprintable, url)) or " " in url:
            raise ConfigError(f"the URL {url[:80]!r} has characters that no URL has")
        return url
    head, comma, data = url.partition(",")
    if head[:5].lower() != "data:":
        raise ConfigError(f"{url[:80]!r} is neither an http(s) URL nor a data: URL; give a file as pathlib.Path(...)")
    if not comma or not head.lower().endswith(";base64"):
        raise ConfigError("a data: URL must be of the form data:image/png;base64,...")
    _check_data(data)
    media = head[5:-7].lower()
    if media and media != "image/jpg":  # which many write and no provider knows
        return url
    return f"data:{'image/jpeg' if media else _media_type(b64decode(data[:_BEGINNING]))};base64,{data}"


def _check_data(data: str) -> None:
    # Not by decoding it, which takes several times as long; a conversation is checked again in every request.
    if not data:
        raise ConfigError("a data: URL has no data")
    plain = data.rstrip("=")
    other = not data.isascii() or plain.encode().translate(None, _BASE64)
    if other or len(data) % 4 or len(data) - len(plain) > 2:
        raise ConfigError("the data of a data: URL is not base64")


def _data_url(data: bytes, where: str = "") -> str:
    if not data:
        raise ConfigError(f"{where}the image is empty")
    return f"data:{_media_type(data, where)};base64,{b64encode(data).decode()}"


def _media_type(data: bytes, where: str = "") -> str:
    """Return the media type that the first bytes tell: of the four that all providers with eyes take."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise ConfigError(
        f"{where}these bytes do not begin like a PNG, JPEG, GIF or WebP image; "
        "give another kind as a data: URL with its media type: data:image/...;base64,..."
    )


def _read(path: "PathLike[Any]") -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for its writer
            raise ConfigError(f"{path}: the image is no file")
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: the image cannot be read: {getattr(error, 'strerror', None) or error}") from None
