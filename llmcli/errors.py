"""The ways a run can end: the exit codes, and the exception tree that leads to them.

LlmcliError
 ├─ GeneralError       1      ├─ TryLater         75      ├─ BudgetExceeded   84
 ├─ UsageError         2      ├─ ProtocolError    76      ├─ Truncated        85
 ├─ SomeFailed         3      ├─ AuthError        77      ├─ AnswerCut        86
 ├─ BadRequest        65      ├─ ConfigError      78      ├─ ToolError        87
 ├─ NoInput           66      ├─ TooLong          80      ├─ TimedOut        124
 ├─ NetworkError      68      ├─ NoModel          81      ├─ InternalError    70
 ├─ ServerError       69      ├─ Filtered         82      └─ OutOfResources   71
 ├─ CantCreate        73      ├─ PaymentRequired  83
 └─ WriteError        74

Two of them come in a special kind with the same code: Unbounded is a BudgetExceeded where nothing
says what the request may cost, ConnectionLost is a Truncated where the connection broke.

Interrupted and ReaderGone are no failures of a step but the end of the process by a signal; they
derive from BaseException so that no `except Exception` on the way takes them for one.
"""

from enum import IntEnum
from signal import Signals
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from typing import Self

# The hint where an extra is missing.
HOW_TO_INSTALL = "install llmcli[{0}] (from a clone: pip install '.[{0}]')"


class ExitCode(IntEnum):
    """The exit codes users rely on. They never change meaning; new ones may come."""

    when: str
    again: str

    def __new__(cls, value: int, when: str, again: str) -> "ExitCode":
        member = int.__new__(cls, value)
        member._value_ = value
        member.when = when
        member.again = again
        return member

    OK = 0, "the answer is complete and every byte of it was written", ""
    ERROR = 1, "anything not listed; a question answered “no”", ""
    USAGE = 2, "bad option, no prompt, empty prompt", "no"
    PARTIAL = 3, "`map` ran to its end, some records failed", "`--resume`"
    BAD_REQUEST = (
        65,
        "400, 422; input that is not text or too large; the answer does not fit what was asked for",
        "no",
    )
    NO_INPUT = 66, "a file, template or session that cannot be read; a search in vain", "no"
    NETWORK = 68, "DNS, refused, unreachable, proxy, reset before the answer began", "yes"
    SERVER = 69, "5xx or 529, an error in the stream, an empty answer", "yes"
    INTERNAL = 70, "a defect of llmcli; the traceback with `LLMCLI_DEBUG=1`", "no"
    OS = 71, "out of memory, threads or descriptors", ""
    CANT_CREATE = 73, "`-O`, a session or a model file cannot be created", "no"
    IO = 74, "a write error on stdout or `-O` (`/dev/full`, a closed descriptor)", ""
    TRY_LATER = 75, "429, `Retry-After` beyond the deadline, or a file in use by another run", "yes"
    PROTOCOL = 76, "TLS verification, a redirect, no such endpoint, neither events nor JSON", "no"
    AUTH = 77, "401, 403", "no"
    CONFIG = (
        78,
        "no key, no model, malformed config, `api_key_command` failed, an extra not installed",
        "no",
    )
    TOO_LONG = 80, "the context length exceeded, 413", "after splitting"
    NO_MODEL = 81, "404 for the model", "no"
    FILTERED = 82, "`content_filter` or a refusal", "no"
    PAYMENT = 83, "402, or a 429 that means a spend, plan or free-tier limit", "no"
    BUDGET = (
        84,
        "llmcli's own budget would be exceeded: the request was not sent",
        "after its reset",
    )
    TRUNCATED = (
        85,
        "the stream broke off after the answer began; the partial text was written",
        "yes, costs again",
    )
    CUT = (
        86,
        "`finish_reason` is `length` (0 if `--max-tokens` was given and the output is text)",
        "no",
    )
    TOOL = 87, "a tool failed, was denied, ran out of time, or the turns ran out", "no"
    TIMEOUT = 124, "connect, idle or deadline, as GNU timeout", "yes"

    @property
    def kind(self) -> str:
        """The name in messages and in the JSON object, such as `try-later`."""
        return self.name.lower().replace("_", "-")


class Ending:
    """What every end of a run can be told of: a message, and notes of what was learnt later.

    Nobody changes an error on its way. Who learns more adds a note (PEP 678), and who knows better
    raises another.
    """

    message: str
    hint: str | None = None
    about: str | None = None
    code: int | str | None = None
    metadata: dict[str, Any] | None = None
    status: int | None = None
    retry_after: float | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what was added by `add_note`."""
        return tuple(getattr(self, "__notes__", ()))

    @property
    def told(self) -> str:
        """Return the message with its notes, for programs: without the advice."""
        return "; ".join((self.message, *self.notes))

    def __str__(self) -> str:
        message = f"{self.message} ({self.about})" if self.about else self.message
        return "; ".join((message, *([self.hint] if self.hint else ()), *self.notes))


class LlmcliError(Ending, Exception):
    """A foreseeable end of a run.

    `hint` says what to do next, `about` which model and request it was. `code` and `metadata` are
    the server's own, `status` the HTTP status, `retry_after` seconds. `transient`: the same
    request may succeed if sent again.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.ERROR
    # The stream broke off inside an event: what came is not whole, whatever it said before.
    inside_event = False

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: int | str | None = None,
        metadata: dict[str, Any] | None = None,
        status: int | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.metadata = metadata
        self.status = status
        self.transient = transient

    @property
    def kind(self) -> str:
        return self.exit_code.kind

    def replaced(self, **changes: Any) -> "Self":
        """Return another error of this kind, with `changes` of its attributes."""
        other = type(self).__new__(type(self), *self.args)
        vars(other).update(vars(self), **changes)
        if self.notes:
            vars(other)["__notes__"] = list(self.notes)
        return other


class GeneralError(LlmcliError):
    """Anything not listed, and a question answered "no"."""


class UsageError(LlmcliError):
    exit_code = ExitCode.USAGE


class SomeFailed(LlmcliError):
    exit_code = ExitCode.PARTIAL


class BadRequest(LlmcliError):
    exit_code = ExitCode.BAD_REQUEST


class NoInput(LlmcliError):
    exit_code = ExitCode.NO_INPUT


class NetworkError(LlmcliError):
    exit_code = ExitCode.NETWORK


class ServerError(LlmcliError):
    exit_code = ExitCode.SERVER


class InternalError(LlmcliError):
    exit_code = ExitCode.INTERNAL


class OutOfResources(LlmcliError):
    exit_code = ExitCode.OS


class CantCreate(LlmcliError):
    exit_code = ExitCode.CANT_CREATE


class WriteError(LlmcliError):
    exit_code = ExitCode.IO


class TryLater(LlmcliError):
    exit_code = ExitCode.TRY_LATER


class ProtocolError(LlmcliError):
    exit_code = ExitCode.PROTOCOL


class AuthError(LlmcliError):
    exit_code = ExitCode.AUTH


class ConfigError(LlmcliError):
    exit_code = ExitCode.CONFIG


class TooLong(LlmcliError):
    exit_code = ExitCode.TOO_LONG


class NoModel(LlmcliError):
    exit_code = ExitCode.NO_MODEL


class Filtered(LlmcliError):
    exit_code = ExitCode.FILTERED


class PaymentRequired(LlmcliError):
    exit_code = ExitCode.PAYMENT


class BudgetExceeded(LlmcliError):
    exit_code = ExitCode.BUDGET


class Unbounded(BudgetExceeded):
    """What this one request may cost is not known, so that no budget can be kept."""


class Truncated(LlmcliError):
    """The server ended the stream before the answer had its end."""

    exit_code = ExitCode.TRUNCATED


class ConnectionLost(Truncated):
    """The connection broke within the answer."""


class AnswerCut(LlmcliError):
    exit_code = ExitCode.CUT


class ToolError(LlmcliError):
    exit_code = ExitCode.TOOL


class TimedOut(LlmcliError):
    exit_code = ExitCode.TIMEOUT


# Errors within an answer, of which a part may have come.
BROKEN_OFF = (TimedOut, Truncated)


def deadline_reached(seconds: float, awaited: str) -> TimedOut:
    return TimedOut(
        f"deadline of {seconds:g} s reached: {awaited}", hint="give more time with --deadline"
    )


class Interrupted(Ending, BaseException):
    """SIGINT, SIGTERM or SIGHUP: the run ends, and the process dies by that signal."""

    kind = "interrupted"

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
        self.message = f"ended by {Signals(signal_number).name}"


class ReaderGone(BaseException):
    """The reader of stdout has closed its end: the process dies silently by SIGPIPE."""
