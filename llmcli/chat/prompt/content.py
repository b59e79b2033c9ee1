"""The content of a user message: files, images, stdin and the words of PROMPT."""

from collections.abc import Sequence

from llmcli.api.types import ContentPart, ImageURL
from llmcli.chat.prompt.reading import STDIN_NAMES, Input
from llmcli.errors import UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDIN
from llmcli.system.text import decoded

STDIN_PLACE = "{stdin}"

# How the files of each image type begin.
_IMAGES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}


@dataclass(frozen=True)
class Wording:
    """A prompt in pieces of text, with None at each place where stdin goes."""

    pieces: tuple[str | None, ...]

    @classmethod
    def of(cls, text: str) -> "Wording":
        """Return `text` cut into pieces at each `{stdin}` in it."""
        first, *rest = text.split(STDIN_PLACE)
        return cls((first, *(piece for after in rest for piece in (None, after))))

    @property
    def wants_stdin(self) -> bool:
        """Return whether there is a place for stdin."""
        return None in self.pieces

    def filled(self, stdin: str = "") -> str:
        """Return the text with `stdin` at its places."""
        return "".join(stdin if piece is None else piece for piece in self.pieces)


@dataclass(frozen=True)
class Filled:
    """A prompt and a system message, with the variables of their template filled in.

    `system` is None without a template, or for a template without a system message.
    """

    system: str | None
    prompt: Wording

    @classmethod
    def of(cls, text: str) -> "Filled":
        """Return the prompt of a run without a template, where `text` is PROMPT."""
        return cls(None, Wording.of(text))


@dataclass(frozen=True)
class Attachments:
    """The files of a prompt: text files as text with their names, images as content parts."""

    texts: tuple[str, ...] = ()
    images: tuple[ContentPart, ...] = ()

    def with_prompt(self, prompt: Sequence[str]) -> str | list[ContentPart]:
        """Return the content of a message: the text files, then the texts of `prompt`.

        Texts are separated by blank lines. With images the content is a list of parts, the text
        first. Without images it is a string, which is empty if it would be only white space.
        """
        whole = "\n\n".join(t for t in (*self.texts, *prompt) if t)
        if not self.images:
            return whole if whole.strip() else ""
        text_part = [ContentPart(type="text", text=whole)] if whole.strip() else []
        return [*text_part, *self.images]


def attachments(source: Input, files: Sequence[str]) -> Attachments:
    """Read `files` and return them as attachments; an image is recognised by its content.

    Raise UsageError for a stdin that is empty, BadRequest for a file that is neither text nor an
    image, and what `Input.file` raises.
    """
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
    """Return the `content` of a text file between tags with its `name`, without final newlines."""
    stripped = content.rstrip("\n")
    return f'<file name="{_attribute(name)}">\n{stripped}\n</file>'


def image(data: bytes) -> ContentPart | None:
    """Return the content part of an image as a `data:` URL, or None if `data` is not an image."""
    kind = image_type(data)
    if kind is None:
        return None
    import base64  # noqa: PLC0415  # needed for images only

    url = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return ContentPart(type="image_url", image_url=ImageURL(url=url))


def user_content(
    source: Input, prompt: Wording, files: Sequence[str], *, other: bool
) -> str | list[ContentPart]:
    """Read stdin and `files`, and return the content of the user message.

    It is the files, then stdin, a blank line and `prompt`. `{stdin}` in `prompt` puts stdin there
    instead; `-` or no prompt means that stdin is the prompt. `other` says that there is something
    else to send, such as a conversation: then the user is told if stdin has to be waited for.

    Raise UsageError if stdin is asked for and cannot be had, and what `attachments` raises.
    """
    attached = attachments(source, files)
    return attached.with_prompt(_prompt_with_stdin(source, prompt, other=bool(files) or other))


def _attribute(name: str) -> str:
    """Return `name` escaped for a quoted attribute, so that it cannot end its tag."""
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return name.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _prompt_with_stdin(source: Input, wording: Wording, *, other: bool) -> list[str]:
    """Return the texts of the prompt: stdin and PROMPT, or PROMPT with stdin in its places."""
    prompt, wanted = wording.filled(), wording.wants_stdin
    if wording.pieces == ("-",):
        if not source.use_stdin:
            raise UsageError("`-` reads stdin, but -n forbids it", hint="drop one of them")
        return [_stdin_text(source, notice=False)]
    available = source.use_stdin and not source.stdin_taken and has_stdin(source.environment)
    if wanted and source.stdin_taken:
        problem = f"{STDIN_PLACE} is in the prompt, but another option reads stdin"
        raise UsageError(problem, hint="name a file instead of - for that option")
    if wanted and not available:
        hint = "drop -n" if not source.use_stdin else "pipe something in"
        raise UsageError(f"{STDIN_PLACE} is in the prompt, but there is no stdin", hint=hint)
    if not available:
        return [prompt]
    piped = _stdin_text(source, notice=bool(prompt) or other)
    if wanted and not piped.strip():
        raise UsageError(f"{STDIN_PLACE} is in the prompt, but stdin is empty; nothing sent")
    return [wording.filled(piped)] if wanted else [piped, prompt]


def _stdin_text(source: Input, *, notice: bool) -> str:
    """Return stdin without the line ends that finish it, as `$(…)` in a shell gives it."""
    return decoded(source.stdin(notice=notice), "stdin").rstrip("\r\n")


def has_stdin(environment: Environment) -> bool:
    """Return whether stdin can hold a prompt: it is open, and is not a terminal."""
    return STDIN not in environment.closed and not environment.is_terminal(STDIN)


def image_type(data: bytes) -> str | None:
    """Return png, jpeg, gif or webp by how `data` begins, or None for anything else."""
    # A WebP file is a RIFF container, with the size of the file in bytes 4 to 7.
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for magic, kind in _IMAGES.items() if data.startswith(magic)), None)
