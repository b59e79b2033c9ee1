"""What the user gives: words, stdin and files, made into the content of a message."""

import os
import select
import time
from collections.abc import Sequence

from llmcli.api.types import ContentPart, ImageURL
from llmcli.errors import BadRequest, NoInput, UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDIN
from llmcli.system.text import check_text, decoded

STDIN_NAMES = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
STDIN_PLACE = "{stdin}"
_NOTICE_AFTER = 2.0
_MOST_DIGITS = 15
_IMAGES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}


@dataclass(frozen=True)
class Wording:
    """A prompt in pieces; None is where stdin goes."""

    pieces: tuple[str | None, ...]

    @classmethod
    def of(cls, text: str) -> "Wording":
        """`text` with a piece for each `{stdin}` in it."""
        first, *rest = text.split(STDIN_PLACE)
        return cls((first, *(piece for after in rest for piece in (None, after))))

    @property
    def wants_stdin(self) -> bool:
        return None in self.pieces

    def filled(self, stdin: str = "") -> str:
        return "".join(stdin if piece is None else piece for piece in self.pieces)


@dataclass
class Input:
    """Reads stdin and files, at most `limit` bytes in all."""

    environment: Environment
    limit: int
    use_stdin: bool = True
    taken: int = 0
    stdin_taken: bool = False

    def stdin(self, notice: bool) -> bytes:
        """All of stdin. `notice`: there is something to send without it, so say what is awaited."""
        if self.stdin_taken:
            raise UsageError("stdin can be used only once")
        self.stdin_taken = True
        self.environment.stage = "stdin has not ended"
        if self.environment.is_terminal(STDIN):
            self.environment.note("reading the terminal; end with Ctrl-D")
        elif notice:
            self._wait_with_notice()
        return self._read_all(STDIN, "stdin")

    def file(self, name: str) -> bytes:
        if name in STDIN_NAMES:
            if not self.use_stdin:
                raise UsageError(f"{name} is stdin, but -n forbids it", hint="drop one of them")
            if STDIN in self.environment.closed:
                raise UsageError(f"{name} is stdin, which is closed; nothing sent")
            return self.stdin(notice=False)
        descriptor = open_file(name)
        try:
            return self._read_all(descriptor, name)
        finally:
            os.close(descriptor)

    def text_of(self, value: str, option: str) -> str:
        """`value` itself, or the text of the file in `@FILE`."""
        if not value.startswith("@"):
            return check_text(value, option)
        return decoded(self.file(value[1:]), f"{option} {value}").rstrip("\r\n")

    def _wait_with_notice(self) -> None:
        until = time.monotonic() + _NOTICE_AFTER
        if not select.select([STDIN], [], [], max(until - time.monotonic(), 0))[0]:
            self.environment.say("waiting for stdin; -n ignores it")

    def _read_all(self, descriptor: int, name: str) -> bytes:
        blocks: list[bytes] = []
        while block := read_block(descriptor, name, 1 << 20):
            self.taken += len(block)
            if self.taken > self.limit:
                raise BadRequest(f"input larger than {_size(self.limit)} (--max-input)")
            blocks.append(block)
        return b"".join(blocks)


def open_file(name: str) -> int:
    """A descriptor to read from. Raises NoInput."""
    try:
        path = name.encode("utf-8", "surrogateescape")
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None


def read_block(descriptor: int, name: str, size: int) -> bytes:
    """What there is, at most `size`; empty at the end. Raises NoInput."""
    while True:
        try:
            return os.read(descriptor, size)
        except BlockingIOError:
            select.select([descriptor], [], [])
        except OSError as error:
            raise _unreadable(name, error) from None


def _unreadable(name: str, error: OSError | ValueError) -> NoInput:
    return NoInput(f"cannot read {name}: {getattr(error, 'strerror', None) or error}")


def _size(count: int) -> str:
    return f"{count // 2**20} MiB" if count % 2**20 == 0 else f"{count} bytes"


def size(value: str) -> int:
    """Bytes of `64M`, `1G`, `500k` or a plain number. Raises UsageError."""
    units = {"k": 2**10, "m": 2**20, "g": 2**30}
    number, unit = value.strip(), 1
    if number[-1:].lower() in units:
        number, unit = number[:-1], units[number[-1].lower()]
    if not number.isdecimal() or len(number) > _MOST_DIGITS or not int(number):
        raise UsageError(f"--max-input {value!r} is no size", hint="such as 64M")
    return int(number) * unit


def words(arguments: Sequence[str]) -> str:
    """The words of PROMPT joined by one space."""
    return check_text(" ".join(arguments), "PROMPT")


@dataclass(frozen=True)
class Attachments:
    """Files given with a prompt: their texts, and parts for images."""

    texts: tuple[str, ...] = ()
    images: tuple[ContentPart, ...] = ()

    def with_prompt(self, prompt: Sequence[str]) -> str | list[ContentPart]:
        """The content of a message: files, then `prompt`; images are parts behind the text."""
        whole = "\n\n".join(t for t in (*self.texts, *prompt) if t)
        if not self.images:
            return whole if whole.strip() else ""
        text_part = [ContentPart(type="text", text=whole)] if whole.strip() else []
        return [*text_part, *self.images]


def attachments(source: Input, files: Sequence[str]) -> Attachments:
    texts: list[str] = []
    images: list[ContentPart] = []
    for name in files:
        data = source.file(name)
        shown = "stdin" if name in STDIN_NAMES else name
        if shown == "stdin" and not data.strip():
            raise UsageError("-f - was given, but stdin is empty; nothing sent")
        if part := image(data):
            images.append(part)
        else:
            texts.append(named_text(shown, decoded(data, shown)))
    return Attachments(tuple(texts), tuple(images))


def named_text(name: str, content: str) -> str:
    """A file's text, with its name."""
    stripped = content.rstrip("\n")
    return f'<file name="{_attribute(name)}">\n{stripped}\n</file>'


def image(data: bytes) -> ContentPart | None:
    """The part for an image, judged by its content."""
    kind = image_type(data)
    if kind is None:
        return None
    import base64

    url = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return ContentPart(type="image_url", image_url=ImageURL(url=url))


def content(
    source: Input, prompt: Wording, files: Sequence[str], other: bool
) -> str | list[ContentPart]:
    """The user's content: files first, then stdin, a blank line and PROMPT.

    `-` or no PROMPT: stdin is the prompt. `{stdin}` in PROMPT puts it there. Images become parts of
    their own behind the text. `other`: there is a conversation to send even without a prompt.
    """
    attached = attachments(source, files)
    return attached.with_prompt(_prompt_with_stdin(source, prompt, bool(files) or other))


def _attribute(name: str) -> str:
    """A file's name that cannot end its own tag."""
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return name.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _prompt_with_stdin(source: Input, wording: Wording, other: bool) -> list[str]:
    prompt, wanted = wording.filled(), wording.wants_stdin
    if wording.pieces == ("-",):
        if not source.use_stdin:
            raise UsageError("`-` reads stdin, but -n forbids it", hint="drop one of them")
        return [_stdin_text(source, notice=False)]
    available = source.use_stdin and not source.stdin_taken and _has_stdin(source.environment)
    if wanted and source.stdin_taken:
        taken = "stdin is a file or the messages already"
        raise UsageError(f"{STDIN_PLACE} is in the prompt, but {taken}")
    if wanted and not available:
        hint = "drop -n" if not source.use_stdin else "pipe something in"
        raise UsageError(f"{STDIN_PLACE} is in the prompt, but no stdin to read", hint=hint)
    if not available:
        return [prompt]
    piped = _stdin_text(source, notice=bool(prompt) or other)
    if wanted and not piped.strip():
        raise UsageError(f"{STDIN_PLACE} is in the prompt, but stdin is empty; nothing sent")
    return [wording.filled(piped)] if wanted else [piped, prompt]


def _stdin_text(source: Input, notice: bool) -> str:
    """stdin without the line ends that finish it, as `$(…)` in a shell gives it."""
    return decoded(source.stdin(notice), "stdin").rstrip("\r\n")


def _has_stdin(environment: Environment) -> bool:
    return STDIN not in environment.closed and not environment.is_terminal(STDIN)


def nothing_given(environment: Environment) -> bool:
    """Whether stdin cannot be a prompt either."""
    return not _has_stdin(environment)


def image_type(data: bytes) -> str | None:
    """png, jpeg, gif or webp, judged by content."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for magic, kind in _IMAGES.items() if data.startswith(magic)), None)
