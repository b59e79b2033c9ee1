"""Conversations kept on disk: one line a turn, as the request and the answer were.

Nothing is kept unless `--session` or `--continue` asks for it. A turn that failed is kept as
`incomplete`; it is shown, but not sent again.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from llmcli.api import messages, request
from llmcli.chat.named_file import named_file
from llmcli.chat.sessions import last
from llmcli.chat.sessions.history import Session
from llmcli.errors import CantCreate, NoInput, WriteError
from llmcli.system import jsonl, private_dirs
from llmcli.system.environment import Environment
from llmcli.system.jsonl import Record

SUFFIX = ".jsonl"


def session_path(environment: Environment, name: str) -> Path:
    """A file in the state directory; a NAME with a slash is a path. Raises UsageError."""
    return named_file(_directory(environment), name, SUFFIX, "session")


def _directory(environment: Environment) -> Path:
    return environment.state_directory / "sessions"


def load_session(environment: Environment, name: str, must_exist: bool = False) -> Session:
    """Raises UsageError, NoInput; ConfigError where others could change what is read."""
    path = session_path(environment, name)
    if "/" not in name:
        private_dirs.check_private(environment.state_directory)
    turns: list[Record] = []
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise NoInput(f"session {name}: {path} is not a regular file")
        for number, record in jsonl.read_records(path):
            turns.append(_checked(record, f"session {name}: {path}:{number}"))
    except (FileNotFoundError, NotADirectoryError):
        if must_exist:
            hint = "`llmcli session list` shows those that are"
            raise NoInput(f"there is no session {name}", hint=hint) from None
    except OSError as error:
        raise NoInput(f"session {name}: cannot read {path}: {error.strerror}") from None
    return Session(name, path, turns)


def _checked(record: Record | None, where: str) -> Record:
    own = record.get("messages") if record else None
    if record is None or not isinstance(own, list) or messages.problem_of(own):
        raise NoInput(f"{where}: not a turn of a session", hint="mend or remove that line")
    return record


def check_writable(environment: Environment, session: Session) -> None:
    """Before anything is sent, and without leaving an empty session. Raises CantCreate."""
    path = session.path
    _make_folder(environment, session)
    place = path if path.exists() else path.parent
    if not os.access(place, os.W_OK) or not path.parent.is_dir():
        reason = "no such directory" if not path.parent.is_dir() else "permission denied"
        raise CantCreate(f"session {session.name}: cannot write {path}: {reason}")


def _make_folder(environment: Environment, session: Session) -> None:
    """The state directory; that of a path is the user's to make. Raises CantCreate."""
    if session.path.parent != _directory(environment):
        return
    try:
        private_dirs.make_private(session.path.parent)
    except OSError as error:
        reason = f"cannot create {session.path.parent}: {error.strerror}"
        hint = "set XDG_STATE_HOME to a directory that can be written"
        raise CantCreate(f"session {session.name}: {reason}", hint=hint) from None


def append_turn(environment: Environment, session: Session, turn: Record, patience: float) -> None:
    """Raises WriteError, and CantCreate where its directory cannot be made."""
    line = request.encode(turn) + b"\n"
    _make_folder(environment, session)
    try:
        jsonl.append_line(session.path, line, patience)
    except OSError as error:
        raise WriteError(f"session {session.name} not written: {error.strerror}") from None
    with suppress(OSError):
        last.remember_session(environment, session)


def session_names(environment: Environment) -> Iterator[str]:
    """Those in the state directory, the last used first."""
    private_dirs.check_private(environment.state_directory)
    found = []
    for path in _directory(environment).glob(f"*{SUFFIX}"):
        with suppress(OSError):  # removed meanwhile, or a link to nowhere
            found.append((path.stat().st_mtime, path))
    yield from (path.stem for _, path in sorted(found, reverse=True))


def remove_session(environment: Environment, name: str) -> None:
    """Raises NoInput, WriteError."""
    path = session_path(environment, name)
    if "/" in name:
        load_session(environment, name, must_exist=True)  # no other file is removed
    try:
        path.unlink()
    except FileNotFoundError:
        raise NoInput(f"there is no session {name}") from None
    except OSError as error:
        raise WriteError(f"session {name} cannot be removed: {error.strerror}") from None
