"""Programs that run side by side, each with limits of time and output.

A program has ended when it has ended itself, whatever its children still do. Each program leads a
session of its own, so that its children can be ended with it. The exception is a program that may
ask the user at the terminal: the terminal lets only programs of our own session read from it.
"""

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, cast

from llmcli.system.dataclass import dataclass, field
from llmcli.system.processes.process_group import ProcessGroup, end_groups
from llmcli.system.signals import signals_deferred

_MOST_AT_ONCE = 16
_BLOCK = 65536
# Seconds between two looks at whether a program has ended whose pipes are still open, as children
# of it can keep them open, and at one that has no pipes.
_POLL = 0.05
_POLL_WITHOUT_PIPES = 0.005
# Reads that empty a pipe whose program has ended: at least its capacity of 64 KiB, and not more
# than that without end, as a child of the program may go on writing to it.
_LAST_READS = 32
# In bytes. A longer line of stderr is passed on in parts, lest it fill the memory.
_LONGEST_LINE = 4096


@dataclass(frozen=True)
class Program:
    """A program to be run, and its limits.

    `variables` are its whole environment, `timeout` is in seconds. `stdin` is written to it in
    whole. `most` is the number of bytes of its stdout that are kept; the rest is read and counted,
    or ends the program if it is `bounded`. With `output`, a descriptor, stdout goes there instead.
    `tell` is called with each line of its stderr; without it the program writes to our stderr. A
    program that is `attended` may ask at the terminal if there is one; its stderr is then ours.
    """

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
class ProgramResult:
    """How a program ended.

    `code` is its exit code, or the negative number of the signal that ended it. It is None if
    llmcli could not start the program or ended it, for the `reason` in words; `too_late` says that
    the reason is its timeout. `output` is what it wrote to stdout, and `dropped` the number of
    bytes of it that were not kept.
    """

    code: int | None = None
    reason: str | None = None
    too_late: bool = False
    output: bytearray = field(default_factory=bytearray)
    dropped: int = 0


@dataclass
class _Running:
    """A program that was started. `until` is a time of time.monotonic()."""

    program: Program
    result: ProgramResult
    group: ProcessGroup
    until: float
    unsent: memoryview  # the part of stdin that is still to be written
    line: bytearray = field(default_factory=bytearray)  # a line of stderr, as far as it has come

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self.group.process


# The programs of all threads: `end_programs` has to end those of the others, too.
_all: list[_Running] = []


def end_programs() -> None:
    """End the programs of every thread, with their children, before the process ends."""
    end_groups([running.group for running in list(_all)])


def run_program(program: Program) -> ProgramResult:
    """Run a single program to its end, as `run_programs` does."""
    return run_programs([program])[0]


def run_programs(programs: Sequence[Program]) -> list[ProgramResult]:
    """Run `programs`, up to 16 at a time, and return their results in the same order.

    An exception such as Interrupted or TimedOut ends the programs, with their children, on its
    way.
    """
    results = [ProgramResult() for _ in programs]
    waiting = list(zip(programs, results, strict=True))[::-1]
    started: list[_Running] = []
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or started:
                while waiting and len(started) < _MOST_AT_ONCE:
                    program, result = waiting.pop()
                    # A signal between the start and its entry in the list would leave a program
                    # that nobody ends.
                    with signals_deferred():
                        _start(program, result, started, selector)
                _serve(selector)
                for running in [running for running in started if _has_ended(running)]:
                    _finish(running, selector)
                    started.remove(running)
                    _all.remove(running)
        finally:
            with signals_deferred():  # a second signal must not leave half of them
                end_groups([running.group for running in started])
                for running in started:
                    _all.remove(running)
    return results


def _start(
    program: Program,
    result: ProgramResult,
    started: list[_Running],
    selector: selectors.BaseSelector,
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
        reason = getattr(error, "strerror", None) or error
        result.reason = f"cannot run {program.command[0]}: {reason}"
        return
    until = time.monotonic() + program.timeout
    group = ProcessGroup(process, leads)
    running = _Running(program, result, group, until, memoryview(program.stdin))
    started.append(running)
    _all.append(running)
    _watch_pipes(running, selector)


def _watch_pipes(running: _Running, selector: selectors.BaseSelector) -> None:
    process = running.process
    for stream, serve in (
        (process.stdin, _send),
        (process.stdout, _take_output),
        (process.stderr, _take_lines),
    ):
        if stream is None:
            continue
        # A write of more than the pipe has room for would wait for the program to read.
        os.set_blocking(stream.fileno(), False)
        event = selectors.EVENT_WRITE if stream is process.stdin else selectors.EVENT_READ
        selector.register(stream, event, (serve, running))


def _serve(selector: selectors.BaseSelector) -> None:
    """Read from and write to the pipes that are ready, and close those that are done."""
    if not selector.get_map():
        time.sleep(_POLL_WITHOUT_PIPES)
        return
    for key, _ in selector.select(_POLL):
        serve, running = key.data
        if serve(running):
            selector.unregister(key.fileobj)
            cast(IO[bytes], key.fileobj).close()


def _send(running: _Running) -> bool:
    """Write a block to stdin. Return True if all is written, or if the program has closed it.

    A program need not read its stdin, so that is not a failure.
    """
    assert running.process.stdin
    block = running.unsent[:_BLOCK]
    try:
        running.unsent = running.unsent[os.write(running.process.stdin.fileno(), block) :]
    except BlockingIOError:
        return False
    except OSError:
        return True
    return not running.unsent


def _take_output(running: _Running) -> bool:
    """Read a block of stdout. Return True at its end."""
    assert running.process.stdout
    block = _read(running.process.stdout)
    if block is None:
        return False
    result = running.result
    room = max(running.program.most - len(result.output), 0)
    result.output += block[:room]
    result.dropped += len(block[room:])
    return not block


def _take_lines(running: _Running) -> bool:
    """Read a block of stderr, and pass on the lines that are whole. Return True at its end."""
    assert running.process.stderr and running.program.tell
    block = _read(running.process.stderr)
    if block is None:
        return False
    running.line += block
    *lines, rest = running.line.split(b"\n")
    if rest and (not block or len(rest) > _LONGEST_LINE):
        lines, rest = [*lines, rest], bytearray()
    running.line = rest
    for line in lines:
        if line.strip():
            running.program.tell(line.decode(errors="replace"))
    return not block


def _read(stream: IO[bytes]) -> bytes | None:
    """Return a block, empty at the end of the stream; None if nothing has come yet."""
    try:
        return os.read(stream.fileno(), _BLOCK)
    except BlockingIOError:
        return None


def _has_ended(running: _Running) -> bool:
    """Return whether the program has ended, or has to be ended for the reason in its result."""
    program, result = running.program, running.result
    if running.process.poll() is not None:
        return True
    if program.bounded and result.dropped:
        result.reason = f"printed more than {program.most} bytes"
        return True
    if time.monotonic() < running.until:
        return False
    result.reason = f"took longer than {program.timeout:g} s"
    result.too_late = True
    return True


def _finish(running: _Running, selector: selectors.BaseSelector) -> None:
    """Take what is left in the pipes without waiting, and close them.

    A child of the program may hold them open for as long as it likes.
    """
    process = running.process
    if running.result.reason:
        end_groups([running.group])
    else:
        running.result.code = process.returncode
    for stream, serve in ((process.stdout, _take_output), (process.stderr, _take_lines)):
        for _ in range(_LAST_READS):
            if stream is None or stream.closed or not _is_ready(stream) or serve(running):
                break
    if running.line and running.program.tell:
        running.program.tell(running.line.decode(errors="replace"))
    for key in [key for key in selector.get_map().values() if key.data[1] is running]:
        selector.unregister(key.fileobj)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with suppress(OSError):
                pipe.close()


def _is_ready(stream: IO[bytes]) -> bool:
    """Return whether a read from `stream` would find data or the end, without waiting."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return bool(selector.select(0))


def terminal_is_there() -> bool:
    """Return whether the process has a terminal at which the user can be asked."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def describe_exit(code: int) -> str:
    """Return how a program ended, in words. A negative code is the number of a signal."""
    return f"exit code {code}" if code > 0 else f"signal {-code}"
