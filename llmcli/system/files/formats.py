"""The format of a file by its content: names of binary formats, and the program that helps."""

import re
import zlib

from llmcli.system.dataclass import dataclass

_IMAGE = "magick {0} picture.png"
_SOUND = "ffmpeg -i {0} sound.mp3"
_OFFICE = "libreoffice --headless --convert-to pdf {0}"
# Bytes of an archive that are unpacked to see whether there is a tar inside: one header block.
_TAR_HEADER = 512


@dataclass(frozen=True)
class Format:
    """A binary format: its name with its article, and a command that makes something usable of it.

    `{0}` in `command` stands for the file. The command is "" where none is known.
    """

    name: str
    command: str = ""


# By the bytes with which a file begins; the first that fits counts.
_BY_BEGINNING: tuple[tuple[bytes, Format], ...] = (
    (b"\x1f\x8b", Format("a gzip file", "zcat {0}")),
    (b"BZh91AY&SY", Format("a bzip2 file", "bzcat {0}")),
    (b"\xfd7zXZ\0", Format("an xz file", "xzcat {0}")),
    (b"\x28\xb5\x2f\xfd", Format("a Zstandard file", "zstdcat {0}")),
    (b"\x04\x22\x4d\x18", Format("an LZ4 file", "lz4cat {0}")),
    (b"7z\xbc\xaf\x27\x1c", Format("a 7z archive", "7z x -so {0}")),
    (b"Rar!\x1a\x07", Format("a RAR archive", "unrar p -inul {0}")),
    (b"MSCF", Format("a cabinet archive", "cabextract -p {0}")),
    (b"!<arch>\n", Format("an ar archive or Debian package", "ar p {0}")),
    (b"\xed\xab\xee\xdb", Format("an RPM package", "rpm2cpio {0}")),
    (b"II*\0", Format("a TIFF image", _IMAGE)),
    (b"MM\0*", Format("a TIFF image", _IMAGE)),
    (b"II+\0", Format("a TIFF image", _IMAGE)),
    (b"MM\0+", Format("a TIFF image", _IMAGE)),
    (b"8BPS", Format("a Photoshop image", _IMAGE)),
    (b"\0\0\1\0", Format("an icon", _IMAGE)),
    (b"\xff\x0a", Format("a JPEG XL image", "djxl {0} picture.png")),
    (b"\0\0\0\x0cJXL ", Format("a JPEG XL image", "djxl {0} picture.png")),
    (b"\0\0\0\x0cjP  ", Format("a JPEG 2000 image", _IMAGE)),
    (b"AT&TFORM", Format("a DjVu document", "djvutxt {0}")),
    (b"OggS", Format("an Ogg recording", _SOUND)),
    (b"fLaC", Format("a FLAC recording", _SOUND)),
    (b"FORM", Format("an AIFF recording", _SOUND)),
    (b"#!AMR", Format("an AMR recording", _SOUND)),
    (b"MThd", Format("a MIDI file")),
    (b"\x1aE\xdf\xa3", Format("a Matroska or WebM video", _SOUND)),
    (b"FLV", Format("a Flash video", _SOUND)),
    (b"\0\0\1\xba", Format("an MPEG video", _SOUND)),
    (b"\x30\x26\xb2\x75", Format("a Windows Media file", _SOUND)),
    (b"SQLite format 3\0", Format("an SQLite database", "sqlite3 {0} .dump")),
    (b"PAR1", Format("a Parquet table", "duckdb -csv -c \"from read_parquet({0})\"")),
    (b"ARROW1", Format("an Arrow table")),
    (b"\x89HDF\r\n", Format("an HDF5 file", "h5dump {0}")),
    (b"\x93NUMPY", Format("a NumPy array")),
    (b"GGUF", Format("a GGUF model")),
    (b"bplist00", Format("a binary property list", "plutil -convert xml1 -o - {0}")),
    (b"\x7fELF", Format("a program (ELF)", "strings {0}")),
    (b"MZ", Format("a Windows program", "strings {0}")),
    (b"\xcf\xfa\xed\xfe", Format("a macOS program", "strings {0}")),
    (b"\xca\xfe\xba\xbe", Format("a Java class or macOS program", "strings {0}")),
    (b"\0asm", Format("a WebAssembly module", "wasm2wat {0}")),
    (b"wOFF", Format("a font")),
    (b"wOF2", Format("a font")),
    (b"OTTO", Format("a font")),
    (b"\0\1\0\0\0", Format("a font")),
    (b"BM", Format("a BMP image", _IMAGE)),
)  # fmt: skip
# ISO base media files say what they are behind `ftyp`: the brand, by the registry at mp4ra.org.
_BY_BRAND: tuple[tuple[tuple[bytes, ...], Format], ...] = (
    ((b"avif", b"avis"), Format("an AVIF image", "avifdec {0} picture.png")),
    (
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
        Format("a HEIC image", "heif-convert {0} picture.jpg"),
    ),
    ((b"M4A ", b"M4B "), Format("an M4A recording", _SOUND)),
)
_VIDEO = Format("an MP4 or QuickTime video", _SOUND)
# Zip archives with a meaning, by a name in them.
_BY_MEMBER = (
    ("word/", Format("a Word document (docx)", "pandoc -t plain {0}")),
    ("xl/", Format("an Excel workbook (xlsx)", "xlsx2csv {0}")),
    ("ppt/", Format("a PowerPoint presentation (pptx)", _OFFICE)),
    ("META-INF/MANIFEST.MF", Format("a Java archive", "unzip -l {0}")),
)
_ZIP = Format("a zip archive", "unzip -p {0}")
# Open documents and EPUB name their type in a first member, which is not compressed.
_BY_TYPE = (
    (b"opendocument.text", Format("an OpenDocument text (odt)", "pandoc -t plain {0}")),
    (
        b"opendocument.spreadsheet",
        Format("an OpenDocument spreadsheet (ods)", "libreoffice --headless --convert-to csv {0}"),
    ),
    (b"opendocument.presentation", Format("an OpenDocument presentation (odp)", _OFFICE)),
    (b"opendocument", Format("an OpenDocument file", _OFFICE)),
    (b"epub", Format("an EPUB book", "pandoc -t plain {0}")),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BY_STREAM = (
    ("WordDocument", Format("an old Word document (doc)", "antiword {0}")),
    ("Workbook", Format("an old Excel workbook (xls)", _OFFICE)),
    ("PowerPoint Document", Format("an old PowerPoint presentation (ppt)", _OFFICE)),
    ("__substg1.0", Format("an Outlook message (msg)", "msgconvert {0}")),
)
_OLD_OFFICE = Format("an old Office document", _OFFICE)
_TAR = Format("a tar archive", "tar -xOf {0}")


def format_of(data: bytes) -> Format | None:
    """Return the format of a binary file by its content, or None if it is not known."""
    if data[4:8] == b"ftyp":
        return next((found for brands, found in _BY_BRAND if _has_brand(data, brands)), _VIDEO)
    if data.startswith((b"PK\3\4", b"PK\5\6", b"PK\7\x08")):
        return _of_zip(data)
    if data.startswith(_OLE):
        streams = ((name.encode("utf-16-le"), found) for name, found in _BY_STREAM)
        return next((found for name, found in streams if name in data), _OLD_OFFICE)
    if _is_tar(data):
        return _TAR
    if data[:4] == b"RIFF":
        return Format("an AVI video" if data[8:12] == b"AVI " else "a RIFF file", _SOUND)
    if data[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return Format("an AAC recording", _SOUND)
    for magic, found in _BY_BEGINNING:
        # Letters alone may begin a text in another encoding, but a text has no NUL.
        if data.startswith(magic) and (not magic.isalnum() or b"\0" in data):
            return Format(f"{found.name} with a tar archive", _TAR.command) if (
                _is_tar(_unpacked(data))
            ) else found  # fmt: skip
    return None


def _is_tar(data: bytes) -> bool:
    return data[257:262] == b"ustar"


def _has_brand(data: bytes, brands: tuple[bytes, ...]) -> bool:
    """Return whether the major brand is one of `brands`; a general one counts by those after it."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    compatible = {data[at : at + 4] for at in range(16, size, 4)}
    major = data[8:12]
    return major in brands or (major in (b"mif1", b"msf1") and not compatible.isdisjoint(brands))


def _of_zip(data: bytes) -> Format:
    import io  # noqa: PLC0415  # needed for an error only
    import zipfile  # noqa: PLC0415  # needed for an error only

    if data[30:38] == b"mimetype":
        kind = next((found for name, found in _BY_TYPE if name in data[38:120]), None)
        if kind:
            return kind
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError):
        # A file that is cut has no table of contents; the names stand before each member as well.
        names = [match.decode("latin-1") for match in re.findall(rb"PK\3\4.{26}([ -~]+)", data)]
    kinds = (found for start, found in _BY_MEMBER for name in names if name.startswith(start))
    return next(kinds, _ZIP)


def _unpacked(data: bytes) -> bytes:
    """Return the beginning of what gzip, bzip2 or xz packed; nothing for other data."""
    import bz2  # noqa: PLC0415  # needed for an error only
    import lzma  # noqa: PLC0415  # needed for an error only

    try:
        if data.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, _TAR_HEADER)
        if data.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(data, _TAR_HEADER)
        if data.startswith(b"\xfd7zXZ"):
            return lzma.LZMADecompressor().decompress(data, _TAR_HEADER)
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        pass  # what is damaged has no format inside
    return b""
