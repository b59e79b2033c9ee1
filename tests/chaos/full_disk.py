"""A disk of 64 KiB that is nearly full: commands that write, and what is left of their files."""

import os
import random
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.commands import COMMANDS
from tests.chaos.place import CONFIG, STATE, Place, Places, ending
from tests.chaos.tally import Tally

SUBJECT = "a disk of 64 KiB"
_SIZE, _PAGE = 65536, 4096
# Where no file may be empty: that of a session, a ledger, a template that could not be written.
_NEVER_EMPTY = (f"{STATE}/sessions", f"{STATE}/ledger", f"{CONFIG}/templates")


def run(places: Places, tally: Tally, chance: random.Random, most: int | None) -> None:
    """Try each command with each number of pages that are left, or `most` of them."""
    cases = [(name, pages) for name in COMMANDS for pages in range(_SIZE // _PAGE)]
    try:
        with _disk():
            pass
    except (OSError, subprocess.CalledProcessError):
        tally.skipped[SUBJECT] = "mounting is not allowed here"
        return
    for name, pages in chance.sample(cases, min(len(cases), most or len(cases))):
        with _disk() as folder, places.fresh(folder) as place:
            (place.folder / "out").chmod(0o600)
            filler = place.folder / "filler"
            _fill(filler, pages)
            done = COMMANDS[name].run(place)
            problem = ending(done) or _empty(place)
            filler.unlink(missing_ok=True)
            problem = problem or COMMANDS[name].problem(place, done.returncode)
        tally.add(SUBJECT, name, f"{name} with {pages} pages left", problem)


@contextmanager
def _disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chaos-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", folder]
        subprocess.run(mount, check=True, capture_output=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def _fill(filler: Path, pages: int) -> None:
    """Fill the disk with a file, but for a number of pages."""
    about = os.statvfs(filler.parent)
    free = about.f_bavail * about.f_bsize
    with filler.open("wb") as file:
        file.write(b"x" * max(free - pages * _PAGE, 0))


def _empty(place: Place) -> str | None:
    paths = [path for name in _NEVER_EMPTY for path in (place.folder / name).glob("*")]
    empty = [path.name for path in paths if path.name != ".lock" and not path.stat().st_size]
    return f"empty files: {empty}" if empty else None
