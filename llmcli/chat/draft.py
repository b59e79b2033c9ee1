"""From options, stdin and files to the body of the first request of `ask`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmcli.api import messages, request
from llmcli.api.types import ChatRequest, Message
from llmcli.chat import response_format as shape
from llmcli.chat.prompt import reading
from llmcli.chat.prompt.content import Filled, user_content
from llmcli.chat.prompt.reading import Input
from llmcli.chat.response_format import Shape
from llmcli.chat.setup import field_names
from llmcli.config.options import AskOptions, ConversationOptions, ShapeOptions, ToolOptions
from llmcli.config.settings import Settings
from llmcli.errors import ConfigError, UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.text import decoded

if TYPE_CHECKING:
    from llmcli.chat.sessions.history import Session
    from llmcli.tools.definition import Toolbox


@dataclass(frozen=True)
class Draft:
    """The first request of a run, and what is needed to deal with its answer.

    `request` is the body. `known` are the messages in it that the session holds already.
    `toolbox` has the tools of --tools. `shape` is what the answer must be.
    """

    request: ChatRequest
    known: Sequence[Message]
    toolbox: "Toolbox | None"
    shape: Shape


def draft(
    environment: Environment,
    settings: Settings,
    options: AskOptions,
    filled: Filled,
    session: "Session | None",
    model: str,
) -> Draft:
    """Read stdin and the files that `options` name, and return the first request to `model`.

    `filled` is the prompt, with the variables of its template filled in; `session` is the
    conversation that goes on. Raise UsageError for options that do not fit together or with the
    conversation, NoInput for a file that cannot be read, BadRequest for one that is malformed or
    too large, and ConfigError for a tool's program or an extra that is missing.
    """
    given = options.prompt
    source = Input(environment, reading.size(given.max_input), use_stdin=not given.no_stdin)
    # The prompt comes after these: it takes stdin only if none of them has read it.
    toolbox = toolbox_of(source, options.tools)
    wanted = shape_of(source, options.shape)
    known, begun = _history(source, options.conversation, session)
    history = [*known, *begun]
    results = _results(source, options.conversation, history)
    other = bool(begun or results)
    content = user_content(source, filled.prompt, given.file or [], other=other)
    if not content and not other:
        hint = "give a PROMPT" if given.no_stdin else "give a PROMPT or text on stdin"
        raise UsageError("empty prompt; nothing sent", hint=hint)
    system = _system_of_run(source, options, filled, history)
    if system is None:
        system = _configured_system(source, settings, history)
    conversation = messages.assemble(system, history, results, content)
    stream = not options.sampling.no_stream
    first = body(settings, conversation, toolbox, wanted, model, stream=stream)
    return Draft(first, known, toolbox, wanted)


def body(
    settings: Settings,
    conversation: Sequence[Message],
    toolbox: "Toolbox | None",
    wanted: Shape,
    model: str,
    *,
    stream: bool,
) -> ChatRequest:
    """Return the body of the request that sends `conversation` to `model`.

    It carries the sampling settings, the tools of `toolbox` and the schema of `wanted`. Fields that
    the user set by -o or `options` win over all of these.
    """
    extra = {**settings.options}
    if toolbox:
        extra.setdefault("tools", toolbox.definitions)
    if wanted.schema is not None:
        extra.setdefault("response_format", shape.response_format(wanted.schema))
    return request.build(
        model,
        conversation,
        stream=stream,
        fields={
            "max_tokens": settings.max_tokens,
            "reasoning": settings.reasoning,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "stop": settings.stop,
            "seed": settings.seed,
        },
        extra=extra,
        names=field_names(settings),
    )


def _history(
    source: Input, options: ConversationOptions, session: "Session | None"
) -> tuple[list[Message], list[Message]]:
    """Return the messages of the session, and those of --messages, which can begin a session."""
    answered = [call_id for pair in options.tool_result or [] for call_id in _possible_ids(pair)]
    known = session.messages(answered) if session else []
    if not options.messages:
        return known, []
    if known:
        problem = "--messages can only begin a session, and this session has messages already"
        raise UsageError(problem, hint="drop --messages, or name a new session")
    name = "stdin" if options.messages == "-" else options.messages
    return known, messages.parse_messages(decoded(source.file(options.messages), name), name)


def _possible_ids(pair: str) -> list[str]:
    """Return what can be the id in ID=TEXT, the longest first, since an id may contain `=`."""
    places = [place for place, character in enumerate(pair) if character == "=" and place]
    if not places:
        raise UsageError(f"--tool-result {pair!r} is not ID=TEXT or ID=@FILE")
    return [pair[:place] for place in reversed(places)]


def _results(
    source: Input, options: ConversationOptions, history: Sequence[Message]
) -> list[Message]:
    """Return a message with the result of each open call of `history`, in the order of the calls.

    Raise UsageError for an open call without a --tool-result, or a --tool-result without its call.
    """
    waiting = messages.open_calls(history)
    ids = [call.get("id", "") for call in waiting]
    texts: dict[str, str] = {}
    for pair in options.tool_result or []:
        possible = _possible_ids(pair)
        call_id = next((candidate for candidate in possible if candidate in ids), possible[-1])
        if call_id in texts:
            raise UsageError(f"--tool-result {call_id} is given twice")
        if call_id not in ids:
            hint = "the conversation waits for no result"
            if waiting:
                hint = f"the open calls are: {messages.named_calls(waiting)}"
            raise UsageError(f"there is no open tool call {call_id}", hint=hint)
        texts[call_id] = source.text_of(pair.removeprefix(f"{call_id}="), "--tool-result")
    if missing := [call for call in waiting if call.get("id", "") not in texts]:
        hint = "answer all of them, each with --tool-result ID=TEXT or ID=@FILE"
        raise UsageError(
            f"tool calls wait for a result: {messages.named_calls(missing)}", hint=hint
        )
    return [messages.result(call_id, texts[call_id]) for call_id in ids]


def _system_of_run(
    source: Input, options: AskOptions, filled: Filled, history: Sequence[Message]
) -> str | None:
    """Return the system message of -s, else that of the template, else None.

    The message replaces that of the session. Raise UsageError if --messages has one as well.
    """
    given = options.prompt.system
    names_system = given is not None or filled.system
    if options.conversation.messages and names_system and messages.has_system(history):
        drop = "-s" if given is not None else "the template's system message, or use another -t"
        raise UsageError("--messages already has a system message", hint=f"drop {drop}")
    return source.text_of(given, "-s") if given is not None else filled.system or None


def _configured_system(source: Input, settings: Settings, history: Sequence[Message]) -> str | None:
    """Return the system message of the settings, unless the conversation has one."""
    if settings.system and not messages.has_system(history):
        return source.text_of(settings.system, "system")
    return None


def toolbox_of(source: Input, options: ToolOptions) -> "Toolbox | None":
    """Return the tools of --tools, or None without it; with --run-tools check that they can be run.

    Raise UsageError for options that do not fit together, NoInput for a file that cannot be read,
    BadRequest for a malformed one, and ConfigError for a missing program or extra.
    """
    if options.tools is None and options.run_tools:
        raise UsageError("--run-tools needs --tools FILE")
    if (options.approve or options.strict_tools) and not options.run_tools:
        raise UsageError("--approve and --strict-tools need --run-tools")
    if options.tools is None:
        return None
    from llmcli.tools import definition  # noqa: PLC0415  # needed with --tools only

    text = decoded(source.file(options.tools), options.tools)
    toolbox = definition.parse_tools(text, options.tools)
    if options.run_tools:
        _check_runnable(toolbox, options.tools)
    return toolbox


def _check_runnable(toolbox: "Toolbox", name: str) -> None:
    """Raise UsageError if no tool has a command, ConfigError if a command does not exist.

    Raise BadRequest for parameters that are not a JSON Schema, since arguments are checked by it.
    """
    import shutil  # noqa: PLC0415  # slow to load, and needed with --run-tools only

    from llmcli.tools import json_schema  # noqa: PLC0415  # needed with --run-tools only

    if not toolbox.runnable:
        hint = 'give one a "command" beside "function"'
        raise UsageError(f"--run-tools: no tool of {name} has a command", hint=hint)
    json_schema.require()
    for tool in toolbox.runnable:
        if shutil.which(tool.command[0]) is None:
            hint = "a relative path begins in the working directory; chmod +x makes it a program"
            raise ConfigError(f"tool {tool.name}: cannot find program {tool.command[0]}", hint=hint)
        json_schema.check_schema(dict(tool.parameters), f"{name}: the parameters of {tool.name}")


def shape_of(source: Input, options: ShapeOptions) -> Shape:
    """Return what the answer must be by --schema, --extract, --block and --yes-no.

    Raise UsageError for options that exclude each other, NoInput for a schema that cannot be read,
    BadRequest for one that is not valid, and ConfigError if the extra for schemas is missing.
    """
    schema = None
    if options.schema is not None:
        inline = options.schema.lstrip().startswith("{")
        name = "--schema" if inline else options.schema
        text = options.schema if inline else decoded(source.file(options.schema), name)
        schema = shape.parse_schema(text, name)
    extract = options.extract or options.block is not None
    wanted = Shape(schema, extract, options.yes_no, options.block)
    shape.check_options(wanted, options.repair)
    return wanted
