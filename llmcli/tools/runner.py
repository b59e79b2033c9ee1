"""The runner of tool calls: it checks each call, runs its program and makes the answer a message.

What goes wrong with a call is told to the model as the answer, so that it can call again.
"""

import json
import os
import sys
import termios
from collections.abc import Sequence

from llmcli.api import messages
from llmcli.api.reply.tool_calls import FUNCTION, arguments_of, name_of, written_in
from llmcli.api.types import Message, ToolCall
from llmcli.errors import ToolError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.processes import process
from llmcli.system.processes.process import Program, ProgramResult
from llmcli.system.text import harmless, one_line
from llmcli.tools import json_schema
from llmcli.tools.definition import Tool, Toolbox, environment_of

# Characters of a call that are shown.
_SHOWN = 500
# Bytes of output that are read beyond the limit of a tool, so that a key at the limit is read as a
# whole and recognised.
_MARGIN = 8192
# From <linux/prctl.h>.
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True)
class ToolPolicy:
    """What is done before a call is run and after it has failed.

    `approve` asks the user at the terminal before each call. `strict` ends the run when a call
    fails, in place of telling the model.
    """

    approve: bool = False
    strict: bool = False


class Runner:
    """The runner of the tools in `toolbox`, by the rules of `policy`.

    Programs get no key: it is not in their variables, on Linux they cannot read it in the memory of
    this process, and it is redacted in what they print.
    """

    def __init__(self, environment: Environment, toolbox: Toolbox, policy: ToolPolicy) -> None:
        self._environment = environment
        self._toolbox = toolbox
        self._policy = policy
        if environment.secrets:
            _close_memory()
        if policy.approve and not process.terminal_is_there():
            environment.say("there is no terminal to ask at: every call of a tool is denied")

    def left_to_caller(self, call: ToolCall) -> bool:
        """Return whether the caller of llmcli must answer `call`: its tool has no command."""
        if FUNCTION not in call:  # a custom tool, or another kind that no program runs
            return True
        tool = self._toolbox.tools.get(name_of(call))
        return tool is not None and not tool.command

    def run(self, calls: Sequence[ToolCall]) -> list[Message]:
        """Run `calls`, side by side, and return the messages that answer them, in the same order.

        A call that is refused or fails is answered with the reason. Raises ToolError in its place
        if the policy is strict, and ConfigError if the schema of a tool is wrong.
        """
        answers: dict[int, str] = {}
        jobs: dict[int, Program] = {}
        for number, call in enumerate(calls):
            if refusal := self._refusal(call):
                answers[number] = self._failed(call, refusal)
            else:
                jobs[number] = self._job(call)
        with self._environment.waiting_for("a tool"):
            outcomes = process.run_programs(list(jobs.values()))
        for number, outcome in zip(jobs, outcomes, strict=True):
            answers[number] = self._content(calls[number], outcome)
        return [messages.result(call["id"], answers[n]) for n, call in enumerate(calls)]

    def _refusal(self, call: ToolCall) -> str | None:
        """Return why `call` must not be run, in words for the model; None if it may run.

        It asks the user where the policy says so, and shows the call on stderr where it does not.
        """
        name, arguments = name_of(call), written_in(call)
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
        with self._environment.waiting_for("your yes or no to a call", "has not come"):
            return _approved(call)

    def _job(self, call: ToolCall) -> Program:
        """Return the program that runs `call`, which `_refusal` has checked."""
        tool: Tool = self._toolbox.tools[name_of(call)]
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
        """Return what the model is told: the output of the program, after an error if it failed."""
        most = self._toolbox.tools[name_of(call)].max_output
        # Keys are redacted before the text is cut, as half a key would not be recognised.
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
        """Return what the model is told of a failure. Raises ToolError if the policy is strict."""
        name = one_line(name_of(call), _SHOWN)
        if self._policy.strict:
            raise ToolError(f"tool {name}: {reason}")
        self._environment.say(f"tool {name}: {reason}; the model is told")
        return f"error: {reason}"


def _shown(call: ToolCall) -> str:
    return one_line(f"{name_of(call)}({_checked(call)})", _SHOWN)


def _checked(call: ToolCall) -> str:
    """Return the arguments of `call` as JSON on one line.

    It is the parsed value that was checked, not the text of the model, in which a key may stand
    twice: the program might take the other one than the check did.
    """
    return json.dumps(arguments_of(call), ensure_ascii=False)


def _close_memory() -> None:
    """Keep the tools from reading a key in the memory and the variables of this process.

    On Linux prctl(PR_SET_DUMPABLE, 0) closes /proc/PID/mem and /proc/PID/environ to other
    processes of the same user. On other systems this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # noqa: PLC0415  # loaded only where there is a key to protect

    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


def _approved(call: ToolCall) -> bool:
    """Ask the user whether to run `call`; return False if there is no terminal.

    The question goes to /dev/tty, because stdin may be the prompt and stderr a file.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        asked = harmless(f"{name_of(call)} {_checked(call)}")
        question = f"llmcli: run {asked}? [y/N] "
        termios.tcflush(terminal, termios.TCIFLUSH)  # what was typed before the question
        os.write(terminal, question.encode(errors="replace"))
        answer = os.read(terminal, 1024)
    finally:
        os.close(terminal)
    return answer.strip().lower() in (b"y", b"yes")
