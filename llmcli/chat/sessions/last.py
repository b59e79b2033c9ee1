"""The session that --continue goes on with: the last of this terminal, else the last of all.

Its name is kept in one small file for each terminal, and in another for all terminals.
"""

import os
import time
from pathlib import Path

from llmcli.chat.sessions.history import Session
from llmcli.errors import NoInput
from llmcli.system.environment import Environment
from llmcli.system.files import private_dirs
from llmcli.system.files.atomic_file import replace_file
from llmcli.system.files.regular import read_regular

_OF_ALL = "all"
# Seconds (one day) after its last use until the file of a terminal that seems gone is removed.
_KEPT = 86_400


def _folder(environment: Environment) -> Path:
    return environment.state_directory / "last-session"


def _terminal() -> str:
    """Return the name of this terminal's file: the id of its session in the sense of setsid(2).

    The shell of a terminal leads such a session, and all that runs in the terminal is part of it.
    """
    return str(os.getsid(0))


def remember_session(environment: Environment, session: Session) -> None:
    """Note `session` as the last one of this terminal and of all.

    Remove the files of terminals that are gone. Raise OSError if a file cannot be written.
    """
    folder = _folder(environment)
    private_dirs.make_private(folder)
    name = str(session.path) if "/" in session.name else session.name
    for key in (_terminal(), _OF_ALL):
        replace_file(folder / key, name.encode(errors="surrogateescape"))
    for file in folder.iterdir():
        if file.name.isdecimal() and _is_gone(file):
            file.unlink(missing_ok=True)


def _is_gone(file: Path) -> bool:
    """Return whether the terminal of `file` was not used for a day and has no leader any more.

    A leader that is gone is not enough: it may have ended before the others of its session, as in
    `setsid sh -c "… &"`, or live outside of this container.
    """
    try:
        return time.time() - file.stat().st_mtime > _KEPT and not _leads(int(file.name))
    except FileNotFoundError:  # another run removed it
        return False


def _leads(pid: int) -> bool:
    """Return whether the process `pid` leads a session."""
    try:
        # Linux says 0 for a session whose leader is outside of this PID namespace.
        return os.getsid(pid) in (pid, 0)
    except OSError:
        return False


def last_name(environment: Environment) -> tuple[str, bool]:
    """Return the name of the last session, and whether it is the last of this terminal.

    Raise NoInput if there is none or it cannot be read, and ConfigError if other users could have
    written the name.
    """
    private_dirs.check_private(environment.state_directory)
    for key in (_terminal(), _OF_ALL):
        path = _folder(environment) / key
        try:
            name = read_regular(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            hint = "remove it, or name the session with --session"
            raise NoInput(f"cannot read {path}: {error.strerror}", hint=hint) from None
        if name and b"\0" not in name:  # a loss of power may leave it empty, or zeros in it
            return name.decode("utf-8", "surrogateescape"), key != _OF_ALL
    hint = "begin one with --session NAME; a plain ask is not kept"
    raise NoInput("there is no session to go on with", hint=hint)
