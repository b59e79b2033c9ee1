"""What a line of a file of results says of its record, by its JSON or by its first bytes.

A short way: in the usual line, an answer that llmcli wrote, the key and the number stand at fixed
places, and what follows the record says that it was answered; so the rest is not parsed. Without it
`map --resume` over records that are all done takes 1.5 times as long, by
`python -m tests.benchmarks resume`. It leans on no private names.
"""

import json
import re
from typing import NamedTuple

from llmcli.output.json import line
from llmcli.system.files.records import parse_record
from llmcli.system.short_ways import is_on

# How the id of a line in batch form begins; the key of the record follows.
BATCH = "batch_req_"
# How a line begins that is about a batch of the server: see `batch.server.parts`.
NOTE = b'{"key": "batch"'
# The names of the forms of a line, as messages show them.
TEXT, JSON, CSV, BATCH_LINES = "text", "JSON", "CSV", "batch"
# How the lines begin that llmcli writes. A file that begins otherwise belongs to somebody else and
# must not be changed.
_HEADS = (b'{"key": "', f'{{"id": "{BATCH}'.encode())
LONGEST_HEAD = max(map(len, _HEADS))
# The exit codes of failures that the record itself causes, so that asking again is in vain: a bad
# request, too long, filtered, cut at its limit of tokens, a tool.
_ITS_OWN = (65, 80, 82, 86, 87)

_KEY = rb'\{"key": "([0-9a-f]{32})", "index": (\d{1,9}), '
_STRING = rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
_OK = rb'"ok": true, '
# A line of the text or CSV form, or one of the JSON form whose record is a text.
_ANSWER = re.compile(rb'%b("input": %b, )?+%b("row": )?' % (_KEY, _STRING, _OK))
# A line of the JSON form whose record is anything else, and what must follow that.
_OTHER_RECORD = re.compile(_KEY + rb'"input": ')
_AFTER_RECORD = f", {_OK.decode()}"
_DECODER = json.JSONDecoder()
_ON = is_on("result-lines")


class Entry(NamedTuple):
    """What a line of the file says of one record.

    `offset` is where the line begins, in bytes. `form` is TEXT, JSON, CSV or BATCH_LINES. `key` is
    the hash of the record and its request. `ok` is False for a failure, `its_own` True for one that
    the record itself caused. `number` is that of the record in the input of the run that wrote the
    line, from 0; -1 if the line does not say.
    """

    offset: int
    form: str
    key: str
    ok: bool
    its_own: bool
    number: int


def entry(offset: int, text: bytes) -> Entry | None:
    """Return the entry of the line that begins at `offset`; None if it is not a result of map."""
    return (_answer(offset, text) if _ON else None) or parsed_entry(offset, text)


def parsed_entry(offset: int, text: bytes) -> Entry | None:
    """Return what `entry` returns, by the long way: the whole line is parsed."""
    value = parse_record(text) if is_result(text) else None
    if value is None:
        return None
    about = value.get("llmcli")
    about = about if isinstance(about, dict) else {}
    if str(value.get("id", "")).startswith(BATCH) and "custom_id" in value:
        key, ok, form = value["id"].removeprefix(BATCH), value.get("error") is None, BATCH_LINES
    elif isinstance(value.get("key"), str):
        key, ok = value["key"], value.get("ok") is True
        form = JSON if "input" in value else CSV if "row" in value else TEXT
    else:
        return None
    source = value if form in (TEXT, CSV) else about
    number = about.get("index", -1) if form == BATCH_LINES else value.get("index", -1)
    its_own = not ok and source.get("exit_code") in _ITS_OWN
    return Entry(offset, form, key, ok, its_own, number if isinstance(number, int) else -1)


def is_result(text: bytes) -> bool:
    """Return True if `text` is the beginning of a line of results, however short it is."""
    return any(text.startswith(head[: len(text)]) for head in _HEADS)


def renumbered(text: bytes, index: int) -> bytes:
    """Return the line with `index` as the number of its record."""
    if (known := entry(0, text)) and known.number == index:
        return text
    value = parse_record(text)
    about = value.get("llmcli") if value and "custom_id" in value else value
    if value is None or not isinstance(about, dict):
        return text
    about["index"] = index
    return line(value)


def _answer(offset: int, text: bytes) -> Entry | None:
    """Return the entry of a whole line of JSON, text or CSV with an answer; None for another."""
    if not text.endswith(b"}\n"):
        return None
    found = _ANSWER.match(text)
    if found is None:
        return _answer_to_other(offset, text)
    key, number, record, row = found.groups()
    form = JSON if record else CSV if row else TEXT
    return Entry(offset, form, key.decode(), True, False, int(number))


def _answer_to_other(offset: int, text: bytes) -> Entry | None:
    """Return the entry of such a line in JSON form whose record is no text."""
    found = _OTHER_RECORD.match(text)
    if found is None:
        return None
    rest = text[found.end() :].decode(errors="replace")
    try:
        end = _DECODER.raw_decode(rest)[1]
    except (ValueError, RecursionError):
        return None
    if not rest.startswith(_AFTER_RECORD, end):
        return None
    return Entry(offset, JSON, found[1].decode(), True, False, int(found[2]))
