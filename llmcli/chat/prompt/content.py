"""The content of a user message: files, stdin and the words of PROMPT."""

import os
import re
from collections.abc import Sequence

from llmcli.api.types import ContentPart, FileData, ImageURL, InputAudio
from llmcli.chat.prompt.reading import STDIN_NAMES, Input
from llmcli.errors import UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.stdio import STDIN
from llmcli.system.text import decoded

STDIN_PLACE = "{stdin}"
_STDIN_PLACES = re.compile(r"(\{\{stdin\}\}|\{stdin\})")


@dataclass(frozen=True)
class Wording:
    """A prompt in pieces of text, with None at each place where stdin goes."""

    pieces: tuple[str | None, ...]

    @classmethod
    def of(cls, text: str) -> "Wording":
        """Return `text` cut into pieces at each `{stdin}`; `{{stdin}}` is a literal `{stdin}`."""
        pieces: list[str | None] = [""]
        for number, part in enumerate(_STDIN_PLACES.split(text)):
            if number % 2 and part == STDIN_PLACE:
                pieces += [None, ""]
            else:
                pieces[-1] = f"{pieces[-1]}{part[1:-1] if number % 2 else part}"
        return cls(tuple(pieces))

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
    """The files of a prompt: text files as text with their names, all others as content parts."""

    texts: tuple[str, ...] = ()
    parts: tuple[ContentPart, ...] = ()

    def with_prompt(self, prompt: Sequence[str]) -> str | list[ContentPart]:
        """Return the content of a message: the text files, then the texts of `prompt`.

        Texts are separated by blank lines. With parts the content is a list of parts, the text
        first. Without parts it is a string, which is empty if it would be only white space.
        """
        whole = "\n\n".join(t for t in (*self.texts, *prompt) if t)
        if not self.parts:
            return whole if whole.strip() else ""
        text_part = [ContentPart(type="text", text=whole)] if whole.strip() else []
        return [*text_part, *self.parts]


def attachments(source: Input, files: Sequence[str]) -> Attachments:
    """Read `files` and return them as attachments, each judged by its content.

    Raise UsageError for a stdin that is empty, BadRequest for a file that is neither text nor an
    image, a PDF or a recording, and what `Input.file` raises.
    """
    texts: list[str] = []
    parts: list[ContentPart] = []
    for name in files:
        data = source.file(name)
        shown = "stdin" if name in STDIN_NAMES else name
        if shown == "stdin" and not data.strip():
            raise UsageError("-f - was given, but stdin is empty; nothing sent")
        if found := part(shown, data):
            parts.append(found)
        else:
            texts.append(named_text(shown, decoded(data, shown)))
    return Attachments(tuple(texts), tuple(parts))


def named_text(name: str, content: str) -> str:
    """Return the `content` of a text file between tags with its `name`, without final newlines."""
    stripped = content.rstrip("\n")
    return f'<file name="{_attribute(name)}">\n{stripped}\n</file>'


def part(name: str, data: bytes) -> ContentPart | None:
    """Return the content part of an image, a PDF or a recording; None if `data` is none of them.

    A PDF is a part of type `file`, which keeps the last component of `name`; a WAV or MP3 recording
    is of type `input_audio`. https://platform.openai.com/docs/api-reference/chat/create
    """
    from llmcli.system.files import media  # noqa: PLC0415  # needed with -f only

    kind = media.media_type(data)
    if kind is None:
        return None
    import base64  # noqa: PLC0415  # needed for such files only

    encoded = base64.b64encode(data).decode("ascii")
    if kind.startswith("audio/"):
        form = "wav" if kind == "audio/wav" else "mp3"
        return ContentPart(type="input_audio", input_audio=InputAudio(data=encoded, format=form))
    url = f"data:{kind};base64,{encoded}"
    if kind == "application/pdf":
        filename = "stdin.pdf" if name == "stdin" else _readable(os.path.basename(name))
        return ContentPart(type="file", file=FileData(filename=filename, file_data=url))
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
    return _readable(name).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _readable(name: str) -> str:
    """Return the name of a file with U+FFFD in the place of bytes that are not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


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
