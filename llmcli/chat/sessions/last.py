"""Which session `--continue` goes on with: the last of this terminal, else the last of all.

A small file for each terminal, named by the process that leads it, and one for all.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from llmcli.chat.sessions.history import Session
from llmcli.errors import NoInput
from llmcli.system import private_dirs
from llmcli.system.atomic_file import replace_file
from llmcli.system.environment import Environment

_OF_ALL = "all"
_KEPT = 86_400  # seconds after its last use that a terminal which seems gone is remembered


def _folder(environment: Environment) -> Path:
    return environment.state_directory / "last-session"


def _terminal() -> str:
    """A terminal is the session, in the sense of setsid(2), of the shell in it."""
    return str(os.getsid(0))


def remember_session(environment: Environment, session: Session) -> None:
    """Each file is replaced in one step. Raises OSError."""
    folder = _folder(environment)
    private_dirs.make_private(folder)
    name = str(session.path) if "/" in session.name else session.name
    for key in (_terminal(), _OF_ALL):
        replace_file(folder / key, name.encode(errors="surrogateescape"))
    for left in folder.iterdir():
        if left.name.isdecimal() and _is_over(left):
            left.unlink(missing_ok=True)


def _is_over(terminal: Path) -> bool:
    """Its leader alone does not tell: it may have gone before the others (`setsid sh -c "… &"`),
    or lead from outside of a container."""
    try:
        return time.time() - terminal.stat().st_mtime > _KEPT and not _leads(int(terminal.name))
    except FileNotFoundError:  # another run removed it
        return False


def _leads(pid: int) -> bool:
    try:
        return os.getsid(pid) in (pid, 0)
    except OSError:
        return False


def last_name(environment: Environment) -> tuple[str, bool]:
    """And whether it is this terminal's. Raises NoInput where there is none, ConfigError where
    others could have named it."""
    private_dirs.check_private(environment.state_directory)
    for key in (_terminal(), _OF_ALL):
        with suppress(OSError):
            found = (_folder(environment) / key).read_text("utf-8", "surrogateescape")
            return found, key != _OF_ALL
    hint = "begin one with --session NAME; a plain ask is not kept"
    raise NoInput("there is no session to go on with", hint=hint)
