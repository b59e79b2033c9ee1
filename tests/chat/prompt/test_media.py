"""Files that are no text: sent as parts, or named for what they are."""

import base64
import io
import json
import tarfile
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmcli.spending import estimate, media
from tests.support.endpoint import Server
from tests.support.program import KEY, Run, one_line

PDF = b"%PDF-1.7\n1 0 obj <</Type /Page>> endobj\n\x00\xff"
MP3 = b"\xff\xfb\x90\x00" + b"\0" * 413
SECONDS = 3


def wav() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0" * 16000 * SECONDS)
    return out.getvalue()


def zipped(*names: str, first: str | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if first:
            archive.writestr("mimetype", first)
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


def tarred(mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        archive.addfile(tarfile.TarInfo("a"))
    return out.getvalue()


def brand(major: bytes, *more: bytes) -> bytes:
    size = 16 + 4 * len(more)
    return size.to_bytes(4, "big") + b"ftyp" + major + b"\0\0\0\0" + b"".join(more) + b"\0\xff"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (
            PDF,
            {
                "type": "file",
                "file": {
                    "filename": "f.txt",
                    "file_data": f"data:application/pdf;base64,{encoded(PDF)}",
                },
            },
        ),
        (MP3, {"type": "input_audio", "input_audio": {"data": encoded(MP3), "format": "mp3"}}),
        (wav(), {"type": "input_audio", "input_audio": {"data": encoded(wav()), "format": "wav"}}),
    ],
    ids=["pdf", "mp3", "wav"],
)
def test_parts_by_content(
    run: Run, server: Server, tmp_path: Path, data: bytes, part: dict[str, Any]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/f.txt").write_bytes(data)
    assert run("ask", "-f", "folder/f.txt", "What?").returncode == 0
    content = server.only.json["messages"][0]["content"]
    assert content == [{"type": "text", "text": "What?"}, part]


@pytest.mark.parametrize(
    ("data", "name", "program"),
    [
        (brand(b"heic", b"mif1"), "a HEIC image", "heif-convert x.txt"),
        (brand(b"mif1", b"avif"), "an AVIF image", "avifdec x.txt"),
        (brand(b"isom"), "an MP4 or QuickTime video", "ffmpeg -i x.txt"),
        (b"II*\0\x08\0", "a TIFF image", "magick x.txt"),
        (zipped("[Content_Types].xml", "word/document.xml"), "a Word document (docx)", "pandoc"),
        (zipped("xl/workbook.xml"), "an Excel workbook (xlsx)", "xlsx2csv x.txt"),
        (zipped("ppt/presentation.xml"), "a PowerPoint presentation (pptx)", "libreoffice"),
        (
            zipped("content.xml", first="application/vnd.oasis.opendocument.text"),
            "an OpenDocument text (odt)",
            "pandoc",
        ),
        (zipped("a.txt"), "a zip archive", "unzip -p x.txt"),
        (tarred("w"), "a tar archive", "tar -xOf x.txt"),
        (tarred("w:gz"), "a gzip file with a tar archive", "tar -xOf x.txt"),
        (b"7z\xbc\xaf\x27\x1c\0", "a 7z archive", "7z x -so x.txt"),
        (b"SQLite format 3\0", "an SQLite database", "sqlite3 x.txt"),
        ("Grüße, BMW".encode("utf-16"), "UTF-16 text", "iconv -f UTF-16 -t UTF-8 x.txt"),
        ("Greetings".encode("utf-16-be"), "UTF-16BE text", "iconv -f UTF-16BE"),
        ("hello".encode("utf-32"), "UTF-32 text", "iconv -f UTF-32"),
        ("BMW für".encode("latin-1"), "is not UTF-8 text", "iconv -f WINDOWS-1252"),
        (b"\x01\0\x02", "is binary", "file x.txt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",
)
def test_other_files_are_named_with_the_program_that_helps(
    run: Run, server: Server, tmp_path: Path, data: bytes, name: str, program: str
) -> None:
    (tmp_path / "x.txt").write_bytes(data)
    done = run("ask", "-f", "x.txt", "hi")
    line = one_line(done.stderr)
    assert done.returncode == 65 and name in line and program in line and "offset" in line, line
    assert not server.requests


def test_a_byte_order_mark_is_no_fault_in_any_file(
    run: Run, server: Server, tmp_path: Path, env: dict[str, str], config: Callable[[str], Path]
) -> None:
    mark = "\ufeff"
    texts = {
        "key": KEY,
        "t.toml": 'prompt = "Say {prompt}"',
        "schema": "{}",
        "tools": '[{"function": {"name": "f"}}]',
        "messages": '[{"role": "user", "content": "hi"}]',
        "system": "Be brief.",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(mark + text)
        (tmp_path / name).chmod(0o600)
    config(f'{mark}model = "m"\n')
    env["LLMCLI_API_KEY_FILE"] = str(tmp_path / "key")
    env.pop("LLMCLI_API_KEY")
    options = ["-t", "./t.toml", "--tools", "tools", "-s", "@system"]
    assert run("ask", *options, "hi", input=f"{mark}piped".encode()).returncode == 0
    assert server.only.headers["authorization"] == f"Bearer {KEY}"
    done = run("ask", "--messages", "messages", "--schema", "schema", "--dry-run")
    assert json.loads(done.stdout)["messages"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("name", ["config", "key"])
def test_files_of_settings_in_utf_16_are_named(
    run: Run,
    server: Server,
    tmp_path: Path,
    env: dict[str, str],
    config: Callable[[str], Path],
    name: str,
) -> None:
    path = config("")
    if name == "key":
        path = tmp_path / "key"
        env.pop("LLMCLI_API_KEY")
        env["LLMCLI_API_KEY_FILE"] = str(path)
    path.write_bytes('model = "m"'.encode("utf-16"))
    path.chmod(0o600)
    done = run("ask", "hi")
    assert done.returncode == 78
    assert "is UTF-16 text, not UTF-8; convert it: `iconv -f UTF-16" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("argument", "stdin", "expected"),
    [
        ("{{stdin}} is literal", b"", "{stdin} is literal"),
        ("{stdin} in {{stdin}}", b"piped", "piped in {stdin}"),
    ],
)
def test_a_place_in_double_braces_is_literal(
    run: Run, server: Server, argument: str, stdin: bytes, expected: str
) -> None:
    assert run("ask", argument, input=stdin).returncode == 0
    assert server.only.json["messages"][0]["content"] == expected


def test_two_at_signs_are_one(run: Run, server: Server) -> None:
    assert run("ask", "-s", "@@here", "hi").returncode == 0
    assert server.only.json["messages"][0]["content"] == "@here"


def test_parts_count_by_what_they_cost_and_not_by_their_bytes() -> None:
    def part(kind: str, value: dict[str, str]) -> dict[str, Any]:
        return {"type": kind, kind: value}

    sound = part("input_audio", {"data": encoded(wav()), "format": "wav"})
    assert media.media_tokens(sound) == (SECONDS + 1) * 64
    url = f"data:application/pdf;base64,{encoded(PDF + PDF)}"
    assert media.media_tokens(part("file", {"file_data": url})) == len(url) + 2 * 6000
    assert media.media_tokens(part("file", {"file_id": "f1"})) is None
    assert media.media_tokens({"type": []}) is media.media_tokens("x") is None
    request = {"messages": [{"role": "user", "content": [sound]}]}
    assert 256 < estimate.bound(request, None, None).input < 500
