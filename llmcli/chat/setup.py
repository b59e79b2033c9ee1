"""From the options to the request body: what was given, checked, read and put together."""

from typing import TYPE_CHECKING

from llmcli.api import request
from llmcli.config import file, url
from llmcli.config.flags import check_tag, flags
from llmcli.config.options import AskOptions, ConversationOptions, PromptOptions
from llmcli.config.settings import DEFAULT_BASE_URL, Settings, check_ranges
from llmcli.system.dataclass import replace
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.chat.prompt.templates import Template
    from llmcli.chat.sessions.history import Session
    from llmcli.config.map_options import MapOptions

# An answer in one piece is silence until it is complete.
_WHOLE_ANSWER_TIMEOUT = 300.0


def template(environment: Environment, given: PromptOptions) -> "Template | None":
    if given.template is None:
        return None
    from llmcli.chat.prompt import templates

    return templates.load_template(environment, given.template)


def session(environment: Environment, talk: ConversationOptions) -> "Session | None":
    if talk.session is None and not talk.go_on:
        return None
    from llmcli.chat.sessions import last, store

    if talk.go_on:
        name, of_terminal = last.last_name(environment)
        if not of_terminal:
            environment.note(f"going on with session {name}, the last of all")
        return store.load_session(environment, name, must_exist=True)
    assert talk.session is not None
    return store.load_session(environment, talk.session)


def settings(
    environment: Environment,
    options: "AskOptions | MapOptions",
    named: "Template | None",
    going_on: "Session | None" = None,
) -> Settings:
    """Return the settings of a run, and start the deadline where it is that of the run: in `map`
    it is a record's. Raises UsageError, ConfigError."""
    of_run = isinstance(options, AskOptions)
    sampling, connection = options.sampling, options.connection
    given = flags(sampling, connection) | {"tag": check_tag(options.account.tag)}
    check_ranges(given, dict.fromkeys(given, "flag"))
    if of_run:  # holds for reading the config as well
        environment.start_deadline(given["deadline"] or 0)
    layer = named.settings if named else None
    resolved = file.resolve(environment, given, connection.profile, layer)
    request.check_reasoning(resolved.reasoning)
    if sampling.no_stream and resolved.source("idle_timeout") == "default":
        resolved = replace(resolved, idle_timeout=_WHOLE_ANSWER_TIMEOUT)
    if of_run:
        environment.start_deadline(resolved.deadline)
    return _with_model_of(going_on, resolved) if going_on else resolved


def allows_cut(asked: bool, in_text: bool, settings: Settings) -> bool:
    """Text that was to be short may be cut; of an answer with a shape a part is of no use."""
    return asked or (in_text and settings.source("max_tokens") == "flag")


def tell_of_another_model(environment: Environment, going_on: "Session", model: str) -> None:
    """A conversation that goes on with another model than before says so."""
    before = going_on.last("model")
    if before not in (None, model):
        environment.note(f"session {going_on.name} was with {before}, and goes on with {model}")


def _with_model_of(going_on: "Session", resolved: Settings) -> Settings:
    """A conversation goes on with its model, unless another is named or the endpoint is another."""
    model = going_on.last("model")
    if model is None or resolved.source("model") in ("flag", "template"):
        return resolved
    endpoint = going_on.last("endpoint")
    if endpoint is None:
        same = resolved.model is None and resolved.base_url is None
    else:
        same = endpoint == url.check_base_url(resolved.base_url or DEFAULT_BASE_URL)
    sources = {**resolved.sources, "model": f"session {going_on.name}"}
    return replace(resolved, model=model, sources=sources) if same else resolved
