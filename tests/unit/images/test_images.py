"""Images as users give them: URLs, bytes and files become chat-completions parts, once, and nothing else does."""

import os
from base64 import b64encode
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm import ConfigError, GenerationRequest
from flyllm.images import has_image_urls, has_images, prompt_content, with_images

PNG = b"\x89PNG\r\n\x1a\nrest"
JPEG = b"\xff\xd8\xff\xe0rest"
GIF = b"GIF89arest"
WEBP = b"RIFF\x04\x00\x00\x00WEBPrest"
WEB = "https://example.com/a.png"
TEXT = {"type": "text", "text": "Hi"}


def data_url(data: bytes, media: str = "image/png") -> str:
    return f"data:{media};base64,{b64encode(data).decode()}"


def part(url: Any, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def shown(*images: Any) -> Any:
    """Return the images of a request as they are sent."""
    return with_images(GenerationRequest("Hi", images=images)).images


def said(*content: Any) -> Any:
    """Return a message's content as it is sent."""
    messages = with_images(GenerationRequest("", messages=[{"role": "user", "content": list(content)}])).messages
    assert messages is not None
    return messages[0]["content"]


@pytest.mark.parametrize(
    ("data", "media"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp")]
)
def test_bytes_and_files_become_data_urls_of_their_kind(data: bytes, media: str, tmp_path: Path) -> None:
    """The first bytes tell the kind; a file's name does not."""
    file = tmp_path / "image.txt"
    file.write_bytes(data)
    for given_image in (data, bytearray(data), memoryview(data), file):
        assert shown(given_image) == [part(data_url(data, media))]
        assert said("Hi", given_image) == [TEXT, part(data_url(data, media))]
        assert said(part(given_image, detail="low")) == [part(data_url(data, media), detail="low")]
        assert said({"type": "image_url", "image_url": given_image}) == [part(data_url(data, media))]


def test_urls_stay_as_they_are() -> None:
    """Of the web, or with data; a bare one becomes an object, as OpenAI wants it."""
    for url in (WEB, "HTTP://example.com/ä?x=1", data_url(PNG), data_url(b"x", "image/heic")):
        assert shown(url) == [part(url)]
        assert said({"type": "image_url", "image_url": url, "cache_control": 1}) == [{**part(url), "cache_control": 1}]


def test_a_data_url_s_kind_is_told_where_it_lacks_or_is_misspelt() -> None:
    """No provider knows image/jpg."""
    assert shown("data:;base64," + b64encode(GIF).decode()) == [part(data_url(GIF, "image/gif"))]
    assert shown(data_url(JPEG, "image/JPG")) == [part(data_url(JPEG, "image/jpeg"))]


@pytest.mark.parametrize(
    "request_",
    [
        GenerationRequest("Hi"),
        GenerationRequest("", messages=[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None}]),
        GenerationRequest("", messages=({"role": "user", "content": [TEXT, part(WEB), {"type": "document"}]},)),
        GenerationRequest("Hi", images=[]),
        with_images(GenerationRequest("Hi", images=[PNG], messages=[{"role": "user", "content": ["a", PNG]}])),
    ],
)
def test_a_request_with_nothing_to_do_is_returned_itself(request_: GenerationRequest) -> None:
    """The very object, also of what was made before."""
    assert with_images(request_) is request_


def test_the_request_given_is_not_changed() -> None:
    """Its lists and dicts are the caller's."""
    image = {"type": "image_url", "image_url": {"url": PNG}}
    messages = [{"role": "user", "content": ["Hi", image]}]
    with_images(GenerationRequest("", messages=messages))
    assert messages == [{"role": "user", "content": ["Hi", {"type": "image_url", "image_url": {"url": PNG}}]}]


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("a.png", r"'a.png' is neither an http\(s\) URL nor a data: URL; give a file as pathlib.Path"),
        ("/etc/hostname", "give a file as pathlib.Path"),
        ("file:///etc/hostname", "give a file as pathlib.Path"),
        ("", "give a file as pathlib.Path"),
        ("https://example.com/a b", "characters that no URL has"),
        ("data:image/png,%89PNG", "must be of the form data:image/png;base64"),
        ("data:image/png;base64", "must be of the form"),
        ("data:image/png;base64,", "has no data"),
        ("data:image/png;base64,ab?d", "is not base64"),
        ("data:image/png;base64,abc", "is not base64"),
        ("data:image/png;base64,äöü=", "is not base64"),
        ("data:;base64,AAAA", "do not begin like a PNG, JPEG, GIF or WebP image"),
        (b"", "the image is empty"),
        (b"BM\x00\x00", r"as a data: URL with its media type"),
        (7, "a URL, bytes or a pathlib.Path, not int"),
        (None, "not NoneType"),
        (PurePosixPath("/nowhere/a.png"), "/nowhere/a.png: the image cannot be read: No such file"),
        (Path(os.devnull), f"{os.devnull}: the image is no file"),
        (Path("a\0b"), "cannot be read"),
    ],
)
def test_what_is_no_image_is_one_clear_error(image: Any, why: str) -> None:
    """In a prompt's images, in a part, and by itself in a list of parts where it is no text."""
    with pytest.raises(ConfigError, match=why):
        shown(image)
    with pytest.raises(ConfigError, match=why):
        said(part(image))
    if not isinstance(image, str):
        with pytest.raises(ConfigError, match=r"messages\[0\].content\[1\]: "):
            said("Hi", image)


def test_folders_empty_files_and_unreadable_ones_are_errors_with_their_path(tmp_path: Path) -> None:
    """Never a bare OSError."""
    empty, other = tmp_path / "empty.png", tmp_path / "notes.txt"
    empty.touch()
    other.write_text("hello")
    for path, why in ((tmp_path, "no file"), (empty, "is empty"), (other, "do not begin like"), (empty / "x", "read")):
        with pytest.raises(ConfigError) as caught:
            shown(path)
        assert str(path) in str(caught.value)
        assert why in str(caught.value)


def test_a_string_that_names_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the string is: the content of files must not leave by accident."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(PNG)
    for name in ("a.png", str(tmp_path / "a.png"), (tmp_path / "a.png").as_uri()):
        with pytest.raises(ConfigError, match="pathlib"):
            shown(name)
        assert said(name) == [{"type": "text", "text": name}]


def test_all_faults_are_named_at_once() -> None:
    """With their places."""
    with pytest.raises(ConfigError) as caught:
        with_images(GenerationRequest("", images=["a"], messages=[{"role": "user", "content": [b"", TEXT, 1]}]))
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "images[0]",
        "messages[0].content[0]",
        "messages[0].content[2]",
    ]


@pytest.mark.parametrize("images", ["a.png", PNG, 1, {"a": 1}, {WEB}])
def test_images_must_be_a_list(images: Any) -> None:
    """One image by itself is a slip of the pen."""
    with pytest.raises(ConfigError, match="images must be a list, not "):
        with_images(GenerationRequest("Hi", images=images))


def test_images_come_before_the_prompt() -> None:
    """Where there is none, alone."""
    assert prompt_content(GenerationRequest("Hi")) == "Hi"
    assert prompt_content(with_images(GenerationRequest("Hi", images=[WEB]))) == [part(WEB), TEXT]
    assert prompt_content(with_images(GenerationRequest("", images=[WEB]))) == [part(WEB)]


@pytest.mark.parametrize(
    ("content", "images", "seen", "fetched"),
    [
        ("Hi", None, False, False),
        (["Hi"], None, False, False),
        ([PNG], None, True, False),
        (["Hi", WEB], None, False, False),
        ([part(WEB)], None, True, True),
        ([part("HTTPS://x/y")], None, True, True),
        ("Hi", [PNG], True, False),
        ("Hi", [PNG, WEB], True, True),
        ([{"type": "image", "source": {"type": "base64"}}], None, True, False),
    ],
)
def test_whether_there_are_images_is_told(content: Any, images: Any, seen: bool, fetched: bool) -> None:
    """And whether one has to be fetched."""
    made = with_images(GenerationRequest("Hi", images=images, messages=[{"role": "user", "content": content}]))
    assert (has_images(made), has_image_urls(made)) == (seen, fetched)


@given(
    st.one_of(
        st.text(), st.binary(), st.integers(), st.none(), st.lists(st.text()), st.dictionaries(st.text(), st.text())
    )
)
def test_anything_else_is_a_config_error_or_an_image(image: Any) -> None:
    """Never another exception, and what comes out stays as it is."""
    try:
        made = with_images(GenerationRequest("Hi", images=[image]))
    except ConfigError:
        return
    assert with_images(made) is made
