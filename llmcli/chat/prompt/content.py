"""The content of a user's message: files, images, stdin and the words of PROMPT."""

from collections.abc import Sequence

from llmcli.api.types import ContentPart, ImageURL
from llmcli.chat.prompt.reading import STDIN_NAMES, Input
from llmcli.errors import UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDIN
from llmcli.system.text import decoded

STDIN_PLACE = "{stdin}"

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


@dataclass(frozen=True)
class Filled:
    """A prompt as it is asked: its wording, and the system message of its template, if any."""

    system: str | None
    prompt: Wording

    @classmethod
    def of(cls, text: str) -> "Filled":
        """Return the words of PROMPT, without a template."""
        return cls(None, Wording.of(text))


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


def user_content(
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
