"""Programs run side by side, each within a time and an output; none outlives a run cut short.

A program has ended when it has ended itself, whatever its children still do. Each leads a session
of its own, so that ending it ends its children as well; but for one that may ask at the terminal,
which the terminal's own rules allow only to a program of our session.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, cast

from llmcli.system.dataclass import dataclass, field
from llmcli.system.signals import undisturbed

_MOST_AT_ONCE = 16
_BLOCK = 65536
# Seconds between asking a group to end and killing it.
_GRACE = 0.2
# How often the end of a program is looked for whose children keep its output open.
_POLL = 0.05
_SHORT = 0.005
# Reads of what is left in a pipe, which is at most its capacity.
_LAST_READS = 32
_LONGEST_LINE = 4096


@dataclass(frozen=True)
class Program:
    """`stdin` goes in whole; `timeout` in seconds. `most` bytes of stdout are kept, and where it is
    `bounded` more of them end the program; or all of stdout goes to the descriptor `output`. `tell`
    gets each line of stderr; None: stderr is ours, as it is for a program that may ask at the
    terminal (`attended`), where there is one."""

    command: Sequence[str]
    variables: Mapping[str, str]
    timeout: float = float("inf")
    most: int = _BLOCK
    stdin: bytes = b""
    bounded: bool = False
    output: int | None = None
    tell: Callable[[str], None] | None = None
    attended: bool = False


@dataclass
class Ended:
    """`code` is None where it could not be started or was ended, for this `reason`; `too_late`: as
    its time was over."""

    code: int | None = None
    reason: str | None = None
    too_late: bool = False
    output: bytearray = field(default_factory=bytearray)
    dropped: int = 0


@dataclass
class _Running:
    program: Program
    outcome: Ended
    process: subprocess.Popen[bytes]
    until: float
    unsent: memoryview
    leads: bool  # a session of its own
    line: bytearray = field(default_factory=bytearray)

    def streams(self) -> list[IO[bytes]]:
        return [s for s in (self.process.stdout, self.process.stderr) if s and not s.closed]


# Of all threads.
_all: list[_Running] = []


def end_programs() -> None:
    """The programs of every thread, before the process ends."""
    _end_groups(list(_all))


def run_program(program: Program) -> Ended:
    """The outcome of a single program, as `run_all` has it."""
    return run_programs([program])[0]


def run_programs(programs: Sequence[Program]) -> list[Ended]:
    """Return the outcomes in the order of `programs`. What ends this early ends them, too."""
    outcomes = [Ended() for _ in programs]
    waiting = list(zip(programs, outcomes, strict=True))[::-1]
    running: list[_Running] = []
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < _MOST_AT_ONCE:
                    program, outcome = waiting.pop()
                    with undisturbed():  # lest a program runs that nobody knows of
                        _start(program, outcome, running, selector)
                _serve(selector)
                for one in [one for one in running if _ended(one)]:
                    _finish(one, selector)
                    running.remove(one)
                    _all.remove(one)
        finally:
            with undisturbed():  # a second signal must not leave half of them
                _end_groups(running)
                for one in running:
                    _all.remove(one)
    return outcomes


def _start(
    program: Program, outcome: Ended, running: list[_Running], selector: selectors.BaseSelector
) -> None:
    leads = not (program.attended and terminal_is_there())
    try:
        process = subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if program.output is None else program.output,
            stderr=subprocess.PIPE if program.tell and leads else None,
            env=dict(program.variables),
            start_new_session=leads,
        )
    except (OSError, ValueError) as error:
        outcome.reason = (
            f"cannot run {program.command[0]}: {getattr(error, 'strerror', None) or error}"
        )
        return
    until = time.monotonic() + program.timeout
    one = _Running(program, outcome, process, until, memoryview(program.stdin), leads)
    running.append(one)
    _all.append(one)
    for stream, serve in (
        (process.stdin, _send),
        (process.stdout, _take_output),
        (process.stderr, _take_words),
    ):
        if stream is None:
            continue
        os.set_blocking(stream.fileno(), False)
        event = selectors.EVENT_WRITE if stream is process.stdin else selectors.EVENT_READ
        selector.register(stream, event, (serve, one))


def _serve(selector: selectors.BaseSelector) -> None:
    """One round of what the programs want to read or have written."""
    if not selector.get_map():
        time.sleep(_SHORT)
        return
    for key, _ in selector.select(_POLL):
        serve, one = key.data
        if serve(one):
            selector.unregister(key.fileobj)
            cast(IO[bytes], key.fileobj).close()


def _send(one: _Running) -> bool:
    """True once all is sent, or nobody reads it: that is no failure of the program."""
    assert one.process.stdin
    try:
        one.unsent = one.unsent[os.write(one.process.stdin.fileno(), one.unsent[:_BLOCK]) :]
    except BlockingIOError:
        return False
    except OSError:
        return True
    return not one.unsent


def _take_output(one: _Running) -> bool:
    assert one.process.stdout
    block = _read(one.process.stdout)
    if block is None:
        return False
    room = max(one.program.most - len(one.outcome.output), 0)
    one.outcome.output += block[:room]
    one.outcome.dropped += len(block[room:])
    return not block


def _take_words(one: _Running) -> bool:
    """stderr is told line by line, as it comes."""
    assert one.process.stderr and one.program.tell
    block = _read(one.process.stderr)
    if block is None:
        return False
    one.line += block
    *lines, rest = one.line.split(b"\n")
    if rest and (not block or len(rest) > _LONGEST_LINE):
        lines, rest = [*lines, rest], bytearray()
    one.line = rest
    for line in lines:
        if line.strip():
            one.program.tell(line.decode(errors="replace"))
    return not block


def _read(stream: IO[bytes]) -> bytes | None:
    """None where there is nothing now, empty at the end."""
    try:
        return os.read(stream.fileno(), _BLOCK)
    except BlockingIOError:
        return None


def _ended(one: _Running) -> bool:
    """By itself, or because its time is over."""
    if one.process.poll() is not None:
        return True
    if one.program.bounded and one.outcome.dropped:
        one.outcome.reason = f"printed more than {one.program.most} bytes"
        return True
    if time.monotonic() < one.until:
        return False
    one.outcome.reason = f"took longer than {one.program.timeout:g} s"
    one.outcome.too_late = True
    return True


def _finish(one: _Running, selector: selectors.BaseSelector) -> None:
    """Take what is still in the pipes; a child that holds them open is not waited for."""
    if one.outcome.reason:
        _end_groups([one])
    else:
        one.outcome.code = one.process.returncode
    for stream, serve in ((one.process.stdout, _take_output), (one.process.stderr, _take_words)):
        for _ in range(_LAST_READS):
            if stream is None or stream.closed or not _more(stream, one, serve):
                break
    if one.line and one.program.tell:
        one.program.tell(one.line.decode(errors="replace"))
    for key in [key for key in selector.get_map().values() if key.data[1] is one]:
        selector.unregister(key.fileobj)
    for pipe in (one.process.stdin, *one.streams()):
        if pipe:
            with suppress(OSError):
                pipe.close()


def _more(stream: IO[bytes], one: _Running, serve: Callable[[_Running], bool]) -> bool:
    with selectors.DefaultSelector() as at_once:
        at_once.register(stream, selectors.EVENT_READ)
        return bool(at_once.select(0)) and not serve(one)


def _end_groups(running: Sequence[_Running]) -> None:
    """TERM, a moment, KILL: for each program and its children."""
    for one in running:
        _signal(one, signal.SIGTERM)
    until = time.monotonic() + _GRACE
    while time.monotonic() < until and any(_alive(one) for one in running):
        time.sleep(_SHORT)
    for one in running:
        _signal(one, signal.SIGKILL)
        with suppress(OSError):
            one.process.wait()


def _signal(one: _Running, number: int) -> None:
    with suppress(OSError):
        if one.leads:
            os.killpg(one.process.pid, number)
        else:
            one.process.send_signal(number)


def _alive(one: _Running) -> bool:
    """Whether any of its group is; the leader is reaped on the way."""
    ended = one.process.poll() is not None
    if not one.leads:
        return not ended
    try:
        os.killpg(one.process.pid, 0)
    except OSError:
        return False
    return True


def terminal_is_there() -> bool:
    """Whether somebody can be asked."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def ending(code: int) -> str:
    """How a program ended, in words: a negative code is the number of a signal."""
    return f"exit code {code}" if code > 0 else f"signal {-code}"
