"""The ways a run can end: the exit codes, and the exceptions that lead to them.

Each subclass of LlmcliError stands for one exit code, which its definition names; README.md lists
them all. A subclass of such a subclass is a special case with the same exit code.

Interrupted and ReaderGone end the process by a signal. They derive from BaseException, so that an
`except Exception` on their way does not swallow them.
"""

from enum import IntEnum
from signal import Signals
from typing import Any, ClassVar, Self


class ExitCode(IntEnum):
    """An exit code that scripts rely on. A code never changes its meaning; new ones may come.

    `when` says in which cases a run ends with this code, `again` whether the same command may
    succeed later. Both are text for the table in README.md, which is generated from them.
    """

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
    CONFIG = (78,
        "no key, no model, malformed config, `api_key_command` failed, an extra not installed",
        "no",
    )  # fmt: skip
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
        "`finish_reason` is `length`; text with `--max-tokens`, whole JSON by `--schema` are 0",
        "no",
    )
    TOOL = 87, "a tool failed, was denied, ran out of time, or the turns ran out", "no"
    TIMEOUT = 124, "connect, idle or deadline, as GNU timeout", "yes"

    @property
    def retryable(self) -> bool:
        """Return whether the same request may succeed later, as the column "again later?" says."""
        return self.again.startswith("yes")

    @property
    def kind(self) -> str:
        """Return the name that messages and the JSON object use, such as `try-later`."""
        return self.name.lower().replace("_", "-")


class Ending:
    """What all ways to end a run have in common: a message, and notes that were added later.

    Code that learns more about an error on its way up does not edit it: it adds a note by
    `add_note` (PEP 678), or raises a better error in its place.
    """

    message: str
    hint: str | None = None
    about: str | None = None
    code: int | str | None = None
    metadata: dict[str, Any] | None = None
    status: int | None = None
    retry_after: float | None = None
    reset: float | None = None  # seconds until the limits that were hit are new
    fields: dict[str, Any] = {}  # noqa: RUF012  # all that a server's error object holds

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the notes that were added by `add_note`, in their order."""
        return tuple(getattr(self, "__notes__", ()))

    @property
    def message_with_notes(self) -> str:
        """Return the message and its notes without the hint, as programs get it in JSON."""
        return "; ".join((self.message, *self.notes))

    def __str__(self) -> str:
        message = f"{self.message} ({self.about})" if self.about else self.message
        return "; ".join((message, *([self.hint] if self.hint else ()), *self.notes))


class LlmcliError(Ending, Exception):
    """A foreseeable failure, with its exit code and a message for the user.

    `hint` says what the user can do. `about` names the model, the request id and the number of
    attempts. `code` and `metadata` come from the server's error object, `status` is the HTTP
    status, `retry_after` the seconds that the server asks to wait. `transient` means that the same
    request may succeed if it is sent again, `inside_event` that the stream broke off in an event,
    `of_proxy` that a proxy did not pass the request on; then `status` is the proxy's.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.ERROR
    inside_event = of_proxy = False

    def __init_subclass__(cls, exit_code: ExitCode | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if exit_code is not None:
            cls.exit_code = exit_code

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
        """Return the name of the exit code, such as `try-later`."""
        return self.exit_code.kind

    def replaced(self, **changes: Any) -> Self:
        """Return a copy of this error, notes included, with `changes` to its attributes."""
        other = type(self).__new__(type(self), *self.args)
        vars(other).update(vars(self), **changes)
        if self.notes:
            vars(other)["__notes__"] = list(self.notes)
        return other


class GeneralError(LlmcliError):
    """A failure that no other class covers, or a question that was answered "no"."""


class UsageError(LlmcliError, exit_code=ExitCode.USAGE):
    """The command line has a bad option, or its prompt is missing or empty."""


class SomeFailed(LlmcliError, exit_code=ExitCode.PARTIAL):
    """`map` ran to its end, but some of its records failed."""


class BadRequest(LlmcliError, exit_code=ExitCode.BAD_REQUEST):
    """The server or llmcli refuses the input, or the answer does not fit what was asked for."""


class NoInput(LlmcliError, exit_code=ExitCode.NO_INPUT):
    """A file, template or session cannot be read, or a search found nothing."""


class NetworkError(LlmcliError, exit_code=ExitCode.NETWORK):
    """The endpoint cannot be reached, or it closed the connection before the answer began."""


class ServerError(LlmcliError, exit_code=ExitCode.SERVER):
    """The server failed: a 5xx status, an error within the stream, or an empty answer."""


class InternalError(LlmcliError, exit_code=ExitCode.INTERNAL):
    """An exception that nobody foresaw: a defect of llmcli."""


class OutOfResources(LlmcliError, exit_code=ExitCode.OS):
    """The system has no more memory, threads or file descriptors to give."""


class CantCreate(LlmcliError, exit_code=ExitCode.CANT_CREATE):
    """The file of `-O`, of a session or of a model cannot be created."""


class WriteError(LlmcliError, exit_code=ExitCode.IO):
    """A write failed: to stdout, to the file of `-O`, or to a file of llmcli's own."""


class TryLater(LlmcliError, exit_code=ExitCode.TRY_LATER):
    """The server asks to come back later, or another run uses the same file."""


class LockHeld(TryLater):
    """Another process holds the lock of a file that this run needs."""


class ProtocolError(LlmcliError, exit_code=ExitCode.PROTOCOL):
    """The certificate is not trusted, or the reply is a redirect or not Chat Completions."""


class AuthError(LlmcliError, exit_code=ExitCode.AUTH):
    """The server refuses the key, or the proxy the password (401, 403, 407)."""


class ConfigError(LlmcliError, exit_code=ExitCode.CONFIG):
    """A setting is missing or malformed, or an extra is not installed."""


class TooLong(LlmcliError, exit_code=ExitCode.TOO_LONG):
    """The request exceeds the context length of the model, or the server's size limit (413)."""


class NoModel(LlmcliError, exit_code=ExitCode.NO_MODEL):
    """The endpoint does not offer the model."""


class Filtered(LlmcliError, exit_code=ExitCode.FILTERED):
    """A content filter stopped the answer, or the model refused to answer."""


class PaymentRequired(LlmcliError, exit_code=ExitCode.PAYMENT):
    """The provider wants money: no credit is left, or a spend or plan limit is reached."""


class BudgetExceeded(LlmcliError, exit_code=ExitCode.BUDGET):
    """The request could exceed a budget of the user, so llmcli did not send it."""


class Unbounded(BudgetExceeded):
    """The possible cost of the request is unknown, so no budget can be kept."""


class Truncated(LlmcliError, exit_code=ExitCode.TRUNCATED):
    """The stream ended before the answer was complete."""


class ConnectionLost(Truncated):
    """The connection broke before the answer was complete."""


class AnswerCut(LlmcliError, exit_code=ExitCode.CUT):
    """The answer stopped at its token limit (`finish_reason` is `length`)."""


class ToolError(LlmcliError, exit_code=ExitCode.TOOL):
    """A tool failed, was denied or took too long, or the turns ran out."""


class TimedOut(LlmcliError, exit_code=ExitCode.TIMEOUT):
    """A time limit was reached: to connect, of silence, or the deadline of the run."""


def deadline_reached(seconds: float, awaited: str) -> TimedOut:
    """Return the error for a deadline of `seconds`; `awaited` says what had not happened yet."""
    message = f"deadline of {seconds:g} s reached: {awaited}"
    return TimedOut(message, hint="give more time with --deadline")


class Interrupted(Ending, BaseException):
    """The run was ended by a signal such as SIGINT; the process then dies by that same signal."""

    kind = "interrupted"

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
        # The exit code that a shell reports for a process that dies by this signal.
        self.exit_code = 128 + signal_number
        self.message = f"ended by {Signals(signal_number).name}"


class ReaderGone(BaseException):
    """The reader of stdout closed its end (EPIPE); the process then dies silently by SIGPIPE."""
