"""What data is that should be text and is not, in words, and what its owner can do."""

import re
import shlex

from llmcli.system.files import formats, media

# The byte order marks of wide encodings (Unicode 16, section 23.8), the longer ones first.
_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# Bytes that are looked at where there is no mark, and the part of them that must be zeros on one
# side: text of western languages in UTF-16 has a zero in every other byte.
_SAMPLE = 256
_FEWEST_ZEROS = 0.7
# No encoding of text has these control characters: all of C0 but those that files of text contain,
# such as line ends, form feed and the escape of ISO-2022, and DEL.
_CONTROLS = re.compile(rb"[\x00-\x07\x10-\x19\x1c-\x1f\x7f]")


def wide_encoding(data: bytes) -> str | None:
    """Return UTF-16, UTF-16LE, UTF-16BE or UTF-32 if `data` begins as such text; None if not."""
    marked = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    sample = data[: min(_SAMPLE, len(data) // 2 * 2)]
    if marked or len(sample) < 4:
        return marked
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if not even and odd >= _FEWEST_ZEROS * len(sample) / 2:
        return "UTF-16LE"
    return "UTF-16BE" if not odd and even >= _FEWEST_ZEROS * len(sample) / 2 else None


def described(data: bytes, name: str, offset: int) -> tuple[str, str]:
    """Return what the data called `name` is, as `is …`, and a hint what to do.

    `offset` is that of the first byte that is not text.
    """
    file = _file(name)
    if encoding := wide_encoding(data):
        return f"is {encoding} text, not UTF-8", convert(encoding, file)
    if file is None:
        return _plainly(data), "check the shell's encoding"
    if kind := media.media_type(data):
        give = "give it with -f" + (" -" if name == "stdin" else "")
        return f"is {media.named(kind)}, not text", give
    if found := formats.format_of(data):
        command = found.command.format(shlex.quote(file))
        hint = f"convert it with `{command}`" if command else "no program is known to convert it"
        return f"is {found.name}, not text", hint
    if _CONTROLS.search(data):
        return "is binary", f"`file {shlex.quote(file)}` may say what it is"
    hint = f"convert it: {iconv('WINDOWS-1252', file)}, or from whatever encoding it has"
    return _plainly(data), hint


def convert(encoding: str, file: str | None) -> str:
    """Return the hint that makes UTF-8 of `file`, which has the `encoding`; None means stdin."""
    return f"convert it: {iconv(encoding, file)}"


def iconv(encoding: str, file: str | None) -> str:
    """Return the command, in backticks, that makes UTF-8 of `file`."""
    return f"`iconv -f {encoding} -t UTF-8 {shlex.quote(file or 'FILE')}`"


def _plainly(data: bytes) -> str:
    return "is binary" if _CONTROLS.search(data) else "is not UTF-8 text"


def _file(name: str) -> str | None:
    """Return the file that `name` speaks of, `FILE` for stdin, and None for an argument."""
    if name == "stdin":
        return "FILE"
    option, at, file = name.partition(" @")
    if at and (option.startswith("-") or option == "system"):
        return file
    return None if name.startswith(("PROMPT", "-")) else name
