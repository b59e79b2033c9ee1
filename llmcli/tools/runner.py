"""Tool calls carried out: checked, asked about, run, and made into messages that answer them."""

import json
import os
import sys
import termios
from collections.abc import Sequence

from llmcli.api import messages
from llmcli.api.tool_calls import arguments_of
from llmcli.api.types import Message, ToolCall
from llmcli.errors import ToolError
from llmcli.system import process
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.process import Program, ProgramResult
from llmcli.system.text import harmless, one_line
from llmcli.tools import json_schema
from llmcli.tools.definition import Tool, Toolbox, environment_of

_SHOWN = 500
# Read beyond the limit, so that a key at its end is seen whole.
_MARGIN = 8192
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True)
class ToolPolicy:
    """`approve`: ask at the terminal first. `strict`: a failure ends the run."""

    approve: bool = False
    strict: bool = False


class Runner:
    """Runs the calls of one turn side by side. Raises ToolError where the policy is strict."""

    def __init__(self, environment: Environment, toolbox: Toolbox, policy: ToolPolicy) -> None:
        self._environment = environment
        self._toolbox = toolbox
        self._policy = policy
        if environment.secrets:
            _close_memory()
        if policy.approve and not process.terminal_is_there():
            environment.say("there is no terminal to ask at: every call of a tool is denied")

    def left_to_caller(self, call: ToolCall) -> bool:
        """A tool that is defined, but without a command."""
        tool = self._toolbox.tools.get(call["function"]["name"])
        return tool is not None and not tool.command

    def run(self, calls: Sequence[ToolCall]) -> list[Message]:
        """The results, in the order of `calls`. What cannot be run is answered with the reason."""
        answers: dict[int, str] = {}
        jobs: dict[int, Program] = {}
        for number, call in enumerate(calls):
            if refusal := self._refusal(call):
                answers[number] = self._failed(call, refusal)
            else:
                jobs[number] = self._job(call)
        self._environment.stage = "a tool has not ended"
        outcomes = process.run_programs(list(jobs.values()))
        for number, outcome in zip(jobs, outcomes, strict=True):
            answers[number] = self._content(calls[number], outcome)
        return [messages.result(call["id"], answers[n]) for n, call in enumerate(calls)]

    def _refusal(self, call: ToolCall) -> str | None:
        """Why a call is not run."""
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        tool = self._toolbox.tools.get(name)
        if tool is None:
            known = ", ".join(self._toolbox.tools)
            return f"there is no tool {name!r}; there are: {known}"
        value = arguments_of(call)
        if value is None:
            return f"its arguments are not a JSON object: {one_line(arguments, _SHOWN)}"
        if problem := json_schema.problem(dict(tool.parameters), value):
            return f"its arguments do not fit its parameters: {problem}"
        if not self._policy.approve:
            self._environment.note(f"calls {_shown(call)}")
        elif not self._ask(call):
            return "this call was not allowed"
        return None

    def _ask(self, call: ToolCall) -> bool:
        self._environment.stage = "a call of a tool waits for your yes or no"
        return _approved(call)

    def _job(self, call: ToolCall) -> Program:
        tool: Tool = self._toolbox.tools[call["function"]["name"]]
        environment = self._environment

        def tell(line: str) -> None:
            environment.say(f"{tool.name}: {line}")

        return Program(
            command=tool.command,
            stdin=_checked(call).encode(errors="replace"),
            timeout=tool.timeout,
            most=tool.max_output + _MARGIN,
            variables=environment_of(tool, environment.variables, environment.secrets),
            tell=tell,
        )

    def _content(self, call: ToolCall, outcome: ProgramResult) -> str:
        most = self._toolbox.tools[call["function"]["name"]].max_output
        # First without secrets, then short: a key cut in half would not be recognised.
        whole = self._environment.redact(outcome.output.decode(errors="replace")).encode()
        text = whole[:most].decode(errors="ignore").rstrip("\r\n")
        if dropped := outcome.dropped + len(whole[most:]):
            text += f"\n… truncated: {dropped} bytes more"
        if outcome.code == 0:
            return text
        reason = outcome.reason or f"failed with {process.describe_exit(outcome.code or 0)}"
        failure = self._failed(call, reason)
        return f"{failure}\n{text}" if text else failure

    def _failed(self, call: ToolCall, reason: str) -> str:
        name = one_line(call["function"]["name"], _SHOWN)
        if self._policy.strict:
            raise ToolError(f"tool {name}: {reason}")
        self._environment.say(f"tool {name}: {reason}; the model is told")
        return f"error: {reason}"


def _shown(call: ToolCall) -> str:
    return one_line(f"{call['function']['name']}({_checked(call)})", _SHOWN)


def _checked(call: ToolCall) -> str:
    """The arguments as they were checked: one line, no key twice."""
    return json.dumps(arguments_of(call), ensure_ascii=False)


def _close_memory() -> None:
    """On Linux: other processes of the user cannot read the key out of this one's /proc."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


def _approved(call: ToolCall) -> bool:
    """Asked at the terminal, not on stdin, which may be the prompt. No terminal: no."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        asked = harmless(f"{call['function']['name']} {_checked(call)}")
        question = f"llmcli: run {asked}? [y/N] "
        termios.tcflush(terminal, termios.TCIFLUSH)  # what was typed before is no answer
        os.write(terminal, question.encode(errors="replace"))
        answer = os.read(terminal, 1024)
    finally:
        os.close(terminal)
    return answer.strip().lower() in (b"y", b"yes")
