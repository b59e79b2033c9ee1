"""Media that a prompt can carry beside its text, by their content: images, PDF, recordings."""

# How the files of each type begin.
_BY_BEGINNING = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"%PDF-": "application/pdf",
    b"ID3": "audio/mpeg",
}
# RIFF containers have the size of the file in bytes 4 to 7, and then their type.
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_NAMES = {"application/pdf": "a PDF", "audio/wav": "a WAV recording",
          "audio/mpeg": "an MP3 recording"}  # fmt: skip


def media_type(data: bytes) -> str | None:
    """Return the media type of an image, a PDF or a WAV or MP3 recording; None for other data."""
    if data[:4] in (b"RIFF", b"RF64"):
        return _RIFF.get(data[8:12])
    if _is_mp3_frame(data):
        return "audio/mpeg"
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t ")
    return next((kind for magic, kind in _BY_BEGINNING.items() if start.startswith(magic)), None)


def _is_mp3_frame(data: bytes) -> bool:
    """Return whether `data` begins with the header of an MP3 frame (ISO 11172-3, section 2.4.1.3).

    That is 11 bits of sync, layer III, and a bit rate and a sampling rate that are not reserved.
    """
    head = data[:4]
    synced = len(head) == 4 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    versions = synced and head[1] & 0x18 != 0x08 and head[1] & 0x06 == 0x02
    return bool(versions) and head[2] & 0xF0 not in (0, 0xF0) and head[2] & 0x0C != 0x0C


def named(media: str) -> str:
    """Return the name of a media type with its article, such as `a PNG image`."""
    kind = media.rpartition("/")[2]
    return _NAMES.get(media) or f"a {'WebP' if kind == 'webp' else kind.upper()} image"
