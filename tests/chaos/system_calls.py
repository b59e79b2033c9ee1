"""The n-th system call that touches a file of llmcli's fails, in every command that writes."""

import random
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.commands import COMMANDS, Command
from tests.chaos.place import Place, Places, ending
from tests.chaos.tally import Tally

SUBJECT = "a system call fails"
# The calls, and how each can fail.
ERRORS = {
    "openat": ("EIO", "ENOSPC", "EACCES", "EMFILE"),
    "newfstatat": ("EIO", "EACCES"),
    "fstat": ("EIO",),
    "read": ("EIO",),
    "pread64": ("EIO",),
    "lseek": ("EIO",),
    "write": ("ENOSPC", "EIO"),
    "fsync": ("EIO", "ENOSPC"),
    "ftruncate": ("EIO",),
    "flock": ("ENOLCK",),
    "fcntl": ("ENOLCK",),
    "rename": ("EIO", "ENOSPC"),
    "renameat": ("EIO", "ENOSPC"),
    "unlink": ("EPERM",),
    "unlinkat": ("EPERM",),
    "mkdir": ("ENOSPC",),
    "fchmod": ("EPERM",),
    "fchown": ("EPERM",),
    "getdents64": ("EIO",),
    "access": ("EIO",),
    "faccessat2": ("EIO",),
    "close": ("EIO",),
}
_STRACE = ("strace", "-f", "-y", "-s", "300", "-qq", "--seccomp-bpf")
_CALL = re.compile(r"(\d+) +(\w+)\(")
_DATA = re.compile(r"^((?:\d+ +)?(?:read|write|pread64)\([^,]*).*")
_BESIDE = re.compile(r'AT_FDCWD<[^>]*>, "/')


def run(places: Places, tally: Tally, chance: random.Random, most: int | None) -> None:
    """Try every call of every command, or `most` of them that `chance` chooses."""
    if not shutil.which("strace"):
        tally.skipped[SUBJECT] = "strace is not installed"
        return
    names = list(COMMANDS)
    if most is not None:  # what calls a command makes takes a run of its own
        names = chance.sample(names, min(len(names), max(1, most // 4)))
    cases = [(name, *case) for name in names for case in _calls(places, COMMANDS[name])]
    for name, call, number, error in chance.sample(cases, min(len(cases), most or len(cases))):
        with places.fresh() as place:
            fault = f"inject={call}:error={error}:when={number}"
            log = place.folder.parent / "faults"
            before = (*_STRACE, "-o", str(log), "-e", f"trace={call}", "-e", fault)
            done = COMMANDS[name].run(place, before)
            if _met(log, place):
                problem = ending(done) or COMMANDS[name].problem(place, done.returncode)
                tally.add(SUBJECT, name, f"{name}: {fault}", problem)


def _met(log: Path, place: Place) -> bool:
    """Return whether the fault met files of `place`, and nothing else.

    Threads load modules side by side, so that the n-th call is not the same in each run; and that
    Python cannot be loaded is no fault of ours.
    """
    met = [line for line in log.read_text(errors="replace").splitlines() if "(INJECTED)" in line]
    return bool(met) and all(_touches(line, place) for line in met)


def _touches(line: str, place: Place) -> bool:
    """Return whether the call in `line` of a log is about a file of `place`."""
    # What is read and written may have names in it, which are not those of the file. The working
    # directory is told with every path, and an absolute one does without it.
    return str(place.folder) in _BESIDE.sub('"/', _DATA.sub(r"\1", line))


def _calls(places: Places, command: Command) -> Iterator[tuple[str, int, str]]:
    """Yield each call of `command` that touches its place: name, number in its thread, an error."""
    with places.fresh() as place:
        log = place.folder.parent / "calls"
        calls = ",".join(ERRORS)
        command.run(place, (*_STRACE, "-o", str(log), "-e", f"trace={calls}"))
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        found: list[tuple[str, int]] = []
        for line in log.read_text(errors="replace").splitlines():
            if match := _CALL.match(line):
                thread, call = match.groups()
                counts[call][thread] += 1
                if _touches(line, place):
                    found.append((call, counts[call][thread]))
    for call, number in found:
        yield from ((call, number, error) for error in ERRORS[call])
