"""Odd files in every place where llmcli reads one."""

import os
import random
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.place import CONFIG, HANGS, PATIENCE, STATE, Done, Place, Places, ending
from tests.chaos.tally import Tally

SUBJECT = "an odd file"


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        # The path of a socket is short, so it is bound from its folder.
        before = os.getcwd()
        os.chdir(path.parent)
        try:
            one.bind(path.name)
        finally:
            os.chdir(before)


def _written(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


KINDS: dict[str, Callable[[Path], object]] = {
    "FIFO": os.mkfifo,
    "directory": Path.mkdir,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "empty device": lambda path: path.symlink_to("/dev/null"),
    "full device": lambda path: path.symlink_to("/dev/full"),
    "socket": _socket,
    "dangling link": lambda path: path.symlink_to("nowhere/at/all"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "file of the kernel": lambda path: path.symlink_to("/proc/self/mem"),
    "terminal that is not there": lambda path: path.symlink_to("/dev/tty"),
    "empty": _written(b""),
    "zeros": _written(b"\0" * 9000),
    "bytes": _written(bytes(range(256)) * 40),
    "no line end": _written(b'{"version": 1, "messages": ['),
    "deep": _written(b"[" * 100_000),
    "deep object": _written(b'{"a":' * 50_000),
    "one long line": _written(b"x" * 2_000_000),
    "UTF-16": _written("model = 'x'\n".encode("utf-16")),
    "lone surrogate": _written(b'{"version": 1, "messages": [{"role": "\\ud800"}], "id": 1}\n'),
    "other types": _written(b'{"version": {}, "messages": [1, null], "id": [], "key": 5}\n'),
    "huge number": _written(b'{"id": 1e999, "version": ' + b"9" * 5000 + b"}\n"),
    "only line ends": _written(b"\n\r\n\r" * 500),
}
_GGUF, _PEM = "m.gguf", "x.pem"
# Where the file stands, and the lines that read it.
READERS = {
    f"{CONFIG}/config.toml": ["ask hi", "map x", "models", "usage", "config show", "config check"],
    f"{CONFIG}/templates/t.toml": ["ask -t t -p word=x", "template list", "template show t"],
    f"{STATE}/sessions/s.jsonl": ["ask --session s hi", "session list", "session show s"],
    f"{STATE}/last-session/all": ["ask -c hi", "session show"],
    f"{STATE}/ledger/{{month}}.jsonl": ["ask hi", "usage", "map x"],
    f"{STATE}/ledger/{{month}}.sums.json": ["usage"],
    f"{STATE}/ledger/.lock": ["ask --max-tokens 5 hi"],
    "home/.cache/llmcli/models": ["ask hi", "models", "config check"],
    "home/.netrc": ["ask hi"],
    "home": ["ask hi", "config show", "session list"],
    "key": ["ask hi", "config check"],
    _PEM: ["ask hi", "map x", "models"],
    _GGUF: [f"ask -m local/{_GGUF} hi"],
    "x": ["ask -f x hi", "ask -s @x hi", "ask --messages x", "ask --tools x hi",
          "ask --schema x hi", "map --requests x", "map --files x y", "map -s @x hi",
          "ask --tool-result a=@x -c",          "ask -f x --dry-run hi"],
    "out": ["ask -O out hi", "ask --usage-file out hi", "ask --save-messages out hi",
            "map -O out --resume x", "map --json -O out x", "map --json -O out --retry-failed x"],
    "out.progress": ["map -O out --resume x", "map --json -O out x"],
    "out.stale": ["map -O out --restart x", "map --json -O new --resume x"],
    "out.unfinished": ["map --json -O out --restart x"],
    "out.part": ["ask -O out hi", "ask -O out break"],
}  # fmt: skip
_VARIABLES = {
    "key": {"LLMCLI_API_KEY_FILE": "{path}", "LLMCLI_API_KEY": ""},
    _PEM: {"LLMCLI_CA_FILE": "{path}", "LLMCLI_BASE_URL": "https://127.0.0.1:1"},
    f"{STATE}/ledger/.lock": {
        "LLMCLI_BUDGET": '{"month": 1}',
        "LLMCLI_PRICES": '{"m": {"prompt": 1, "completion": 2}}',
    },
}


def run(places: Places, tally: Tally, chance: random.Random, most: int | None) -> None:
    """Try each kind in each place with each command, or `most` of them."""
    read = [(where, line) for where, lines in READERS.items() for line in lines]
    cases = [(where, line, kind) for where, line in read for kind in KINDS]
    for where, line, kind in chance.sample(cases, min(len(cases), most or len(cases))):
        with places.fresh() as place:
            path = place.folder / where.format(month=datetime.now(UTC).strftime("%Y-%m"))
            _put(path, kind)
            done = _run(place, line, path, _VARIABLES.get(where, {}))
        name = Path(where).name.replace("{month}", "ledger")
        tally.add(SUBJECT, name, f"{where} is {kind}: {line}", ending(done))


def _put(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        path.rename(path.with_name("moved"))
    else:
        path.unlink(missing_ok=True)
    KINDS[kind](path)
    with suppress(OSError):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o600)


def _run(place: Place, line: str, path: Path, variables: dict[str, str]) -> Done:
    """Run `line` with a deadline; what waits beyond it, as map does at a FIFO, must obey TERM."""
    env = {name: value.replace("{path}", str(path)) for name, value in variables.items()}
    process = place.start(*line.split(), **{"LLMCLI_DEADLINE": "4", **env})
    try:
        out, err = process.communicate(b"a\n", timeout=20)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += HANGS
    ended = 124 if process.returncode == -signal.SIGTERM else process.returncode
    return Done(line, ended, out, err)
