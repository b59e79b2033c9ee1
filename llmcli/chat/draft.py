"""The conversation, the tools and the shape that are asked for, read and made into a request."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmcli.api import messages, request
from llmcli.api.types import ChatRequest, Message
from llmcli.chat import response_format as shape
from llmcli.chat.prompt import reading
from llmcli.chat.prompt.content import Filled, user_content
from llmcli.chat.prompt.reading import Input
from llmcli.chat.response_format import Shape
from llmcli.config.options import AskOptions, ConversationOptions, ShapeOptions, ToolOptions
from llmcli.config.settings import Settings
from llmcli.errors import ConfigError, UsageError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment
from llmcli.system.text import check_text, decoded

if TYPE_CHECKING:
    from llmcli.chat.sessions.history import Session
    from llmcli.tools.definition import Toolbox


@dataclass(frozen=True)
class Draft:
    """`known`: the messages of the request that the session has already."""

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
    """Read stdin and files, and make the request. Raises UsageError, NoInput, BadRequest,
    ConfigError."""
    given = options.prompt
    source = Input(environment, reading.size(given.max_input), use_stdin=not given.no_stdin)
    toolbox = toolbox_of(source, options.tools)
    wanted = shape_of(source, options.shape)
    known, history = _history(source, options.conversation, session)
    results = _results(source, options.conversation, [*known, *history])
    other = bool(history or results)
    content = user_content(source, filled.prompt, given.file or [], other=other)
    if known and not content and not other:
        raise UsageError("empty prompt; nothing sent", hint="give a PROMPT or text on stdin")
    told = _told_system(source, options, filled, [*known, *history])
    system = _system(source, settings, [*known, *history]) if told is None else told
    said = messages.assemble(system, [*known, *history], results, content)
    stream = not options.sampling.no_stream
    return Draft(body(settings, said, toolbox, wanted, model, stream), known, toolbox, wanted)


def body(
    settings: Settings,
    said: Sequence[Message],
    toolbox: "Toolbox | None",
    wanted: Shape,
    model: str,
    stream: bool,
) -> ChatRequest:
    """The request that says `said`."""
    extra = {**settings.options}
    if toolbox:
        extra.setdefault("tools", toolbox.definitions)
    if wanted.schema is not None:
        extra.setdefault("response_format", shape.response_format(wanted.schema))
    return request.build(
        model,
        said,
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
    )


def _history(
    source: Input, talk: ConversationOptions, session: "Session | None"
) -> tuple[list[Message], list[Message]]:
    """The messages of the session, and those given, which can begin one."""
    answering = [one for pair in talk.tool_result or [] for one in _possible_ids(pair)]
    known = session.messages(answering) if session else []
    if not talk.messages:
        return known, []
    if known:
        raise UsageError("--messages can begin a session, but this one has messages already")
    name = "stdin" if talk.messages == "-" else talk.messages
    return known, messages.parse_messages(decoded(source.file(talk.messages), name), name)


def _possible_ids(pair: str) -> list[str]:
    """What stands before an `=`, the longest first: an id may hold one."""
    places = [place for place, character in enumerate(pair) if character == "=" and place]
    if not places:
        raise UsageError(f"--tool-result {pair!r} is not ID=TEXT or ID=@FILE")
    return [pair[:place] for place in reversed(places)]


def _results(source: Input, talk: ConversationOptions, history: Sequence[Message]) -> list[Message]:
    """A result for each open call, in the order of the calls. Raises UsageError."""
    waiting = messages.open_calls(history)
    ids = [call.get("id", "") for call in waiting]
    texts: dict[str, str] = {}
    for pair in talk.tool_result or []:
        possible = _possible_ids(pair)
        identity = next((one for one in possible if one in ids), possible[-1])
        if identity in texts:
            raise UsageError(f"--tool-result {identity} is given twice")
        if identity not in ids:
            hint = f"open are: {messages.named_calls(waiting)}" if waiting else "none is open"
            raise UsageError(f"there is no open tool call {identity}", hint=hint)
        texts[identity] = _result_text(source, pair.removeprefix(f"{identity}="))
    if missing := [call for call in waiting if call.get("id", "") not in texts]:
        hint = "answer all of them, each with --tool-result ID=TEXT or ID=@FILE"
        raise UsageError(
            f"tool calls wait for a result: {messages.named_calls(missing)}", hint=hint
        )
    return [messages.result(identity, texts[identity]) for identity in ids]


def _result_text(source: Input, value: str) -> str:
    """`@FILE`, or the text itself; `@@` stands for one @, as what a tool printed may begin so."""
    if value.startswith("@@"):
        return check_text(value[1:], "--tool-result")
    return source.text_of(value, "--tool-result")


def _told_system(
    source: Input, options: AskOptions, filled: Filled, history: Sequence[Message]
) -> str | None:
    """Return the system message of this run: that of -s, else the template's; None for neither. It
    takes the place of the conversation's. Raises UsageError where --messages has one."""
    given = options.prompt.system
    told = given is not None or filled.system
    if options.conversation.messages and told and messages.has_system(history):
        raise UsageError("--messages already has a system message", hint="drop -s or -t")
    return source.text_of(given, "-s") if given is not None else filled.system or None


def _system(source: Input, settings: Settings, history: Sequence[Message]) -> str | None:
    """Return the configured system message, unless the conversation has one."""
    if settings.system and not messages.has_system(history):
        return source.text_of(settings.system, "system")
    return None


def toolbox_of(source: Input, options: ToolOptions) -> "Toolbox | None":
    """Raises UsageError, NoInput, BadRequest; ConfigError where the extra is missing."""
    if options.tools is None and options.run_tools:
        raise UsageError("--run-tools needs --tools FILE")
    if (options.approve or options.strict_tools) and not options.run_tools:
        raise UsageError("--approve and --strict-tools go with --run-tools")
    if options.tools is None:
        return None
    from llmcli.tools import definition as tools

    toolbox = tools.parse_tools(decoded(source.file(options.tools), options.tools), options.tools)
    if not options.run_tools:
        return toolbox
    if not toolbox.runnable:
        raise UsageError(f"--run-tools, but no tool of {options.tools} has a command")
    import shutil

    from llmcli.tools import json_schema

    json_schema.require()
    for tool in toolbox.runnable:
        if shutil.which(tool.command[0]) is None:
            hint = "a relative path begins in the working directory; chmod +x makes it a program"
            problem = f"tool {tool.name}: there is no program {tool.command[0]}"
            raise ConfigError(problem, hint=hint)
        where = f"{options.tools}: the parameters of {tool.name}"
        json_schema.check_schema(dict(tool.parameters), where)
    return toolbox


def shape_of(source: Input, options: ShapeOptions) -> Shape:
    schema = None
    if options.schema is not None:
        inline = options.schema.lstrip().startswith("{")
        name = "--schema" if inline else options.schema
        data = options.schema if inline else decoded(source.file(options.schema), name)
        schema = shape.parse_schema(data, name)
    wanted = Shape(schema, options.extract, options.yes_no)
    shape.check_options(wanted, options.repair)
    return wanted
