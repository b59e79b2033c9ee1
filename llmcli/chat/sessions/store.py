"""Sessions on disk: files of one JSON object a turn, with the messages that were sent and received.

They are written only if --session or --continue asks for it. A turn that failed is marked
`incomplete`: it is shown, but not sent again.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from llmcli.api import messages, request
from llmcli.chat.named_file import files_in, named_file
from llmcli.chat.sessions import last
from llmcli.chat.sessions.history import Session
from llmcli.errors import CantCreate, NoInput, WriteError
from llmcli.system.environment import Environment
from llmcli.system.files import jsonl, private_dirs
from llmcli.system.files.records import ZEROS, Record, read_records

SUFFIX = ".jsonl"


def session_path(environment: Environment, name: str) -> Path:
    """Return the path of the session `name`, in the state directory or a path of its own.

    Raise UsageError for a name that is not valid.
    """
    return named_file(_directory(environment), name, SUFFIX, "session")


def _directory(environment: Environment) -> Path:
    return environment.state_directory / "sessions"


def load_session(environment: Environment, name: str, *, must_exist: bool = False) -> Session:
    """Read the session `name`; one that does not exist has no turns, unless it `must_exist`.

    Raise UsageError for a name that is not valid, NoInput if the file cannot be read or has a line
    that is not a turn, and ConfigError if other users could change the file.
    """
    path = session_path(environment, name)
    if "/" not in name:
        private_dirs.check_private(environment.state_directory)
    turns: list[Record] = []

    def damaged() -> None:
        environment.say_once(f"warning: session {name}: {path} {ZEROS}; its whole turns are read")

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise NoInput(f"session {name}: {path} is not a regular file")

        for number, record in read_records(path, damaged):
            turns.append(_checked(record, f"session {name}: {path}:{number}"))
    except (FileNotFoundError, NotADirectoryError):
        if must_exist:
            hint = "see `llmcli session list`"
            raise NoInput(f"there is no session {name}", hint=hint) from None
    except OSError as error:
        raise NoInput(f"session {name}: cannot read {path}: {error.strerror}") from None
    return Session(name, path, turns)


def load_last_session(environment: Environment) -> tuple[Session, bool]:
    """Read the session that --continue goes on with; also return whether it is of this terminal.

    Raise NoInput if there was none or it was removed, and whatever `load_session` raises.
    """
    name, of_terminal = last.last_name(environment)
    session = load_session(environment, name)
    if not session.path.exists():
        problem = f"the last session, {name}, was removed"
        hint = "name another with --session; `llmcli session list` lists them"
        raise NoInput(problem, hint=hint)
    return session, of_terminal


def _checked(record: Record | None, where: str) -> Record:
    own = record.get("messages") if record else None
    if record is None or not isinstance(own, list) or messages.problem_of(own):
        raise NoInput(f"{where}: not a turn of a session", hint="correct or remove that line")
    return record


def check_writable(environment: Environment, session: Session) -> None:
    """Raise CantCreate if a turn could not be appended to `session`.

    The check is made before anything is sent. It creates the directory but no file, since a run
    that fails would leave an empty session behind.
    """
    path = session.path
    _make_folder(environment, session)
    place = path if os.path.exists(path) else path.parent
    has_folder = os.path.isdir(path.parent)
    if not os.access(place, os.W_OK) or not has_folder:
        reason = "permission denied" if has_folder else "no such directory"
        raise CantCreate(f"session {session.name}: cannot write {path}: {reason}")


def _make_folder(environment: Environment, session: Session) -> None:
    """Create the directory of sessions; raise CantCreate.

    For a session that is named by a path nothing is created, since the user chose the place.
    """
    if session.path.parent != _directory(environment):
        return
    try:
        private_dirs.make_private(session.path.parent)
    except OSError as error:
        reason = f"cannot create {session.path.parent}: {error.strerror}"
        hint = "set XDG_STATE_HOME to a directory that can be written"
        raise CantCreate(f"session {session.name}: {reason}", hint=hint) from None


def append_turn(environment: Environment, session: Session, turn: Record, patience: float) -> None:
    """Append `turn` to the file of `session`, and note it as the last session.

    `patience` is the number of seconds to wait for another process that holds the file. Raise
    WriteError if the file cannot be written, CantCreate if its directory cannot be created.
    """
    line = request.encode(turn) + b"\n"
    _make_folder(environment, session)
    try:
        holder = f"another process that holds session {session.name}"
        with environment.waiting_for(holder) as wait:
            jsonl.append_line(session.path, line, patience, wait.remind)
    except OSError as error:
        raise WriteError(f"cannot write session {session.name}: {error.strerror}") from None
    with suppress(OSError):  # the turn is on disk; only --continue will not find it
        last.remember_session(environment, session)


def session_names(environment: Environment) -> Iterator[str]:
    """Yield the names of the sessions in the state directory, the last used first.

    Raise ConfigError if other users could change the directory, NoInput if it cannot be read.
    """
    private_dirs.check_private(environment.state_directory)
    dated = []
    for path in files_in(_directory(environment), SUFFIX):
        with suppress(OSError):  # removed meanwhile, or a link to nowhere
            dated.append((path.stat().st_mtime, path))
    yield from (path.stem for _, path in sorted(dated, reverse=True))


def remove_session(environment: Environment, name: str) -> None:
    """Remove the file of the session `name`.

    Raise UsageError for a name that is not valid, NoInput if there is no such session, and
    WriteError if the file cannot be removed.
    """
    path = session_path(environment, name)
    if "/" in name:
        # Read first, since a path that was mistyped may name a file that is not a session.
        load_session(environment, name, must_exist=True)
    try:
        path.unlink()
    except FileNotFoundError:
        raise NoInput(f"there is no session {name}", hint="see `llmcli session list`") from None
    except OSError as error:
        raise WriteError(f"cannot remove session {name}: {error.strerror}") from None
