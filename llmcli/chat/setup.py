"""The first steps of a run, from its options to its template, session and settings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmcli.api import request
from llmcli.config import file, providers, url
from llmcli.config.flags import check_tag, flags
from llmcli.config.options import AskOptions, ConversationOptions, PromptOptions, ShapeOptions
from llmcli.config.providers import DEFAULT_BASE_URL
from llmcli.config.settings import Settings, check_ranges
from llmcli.errors import UsageError
from llmcli.system.dataclass import replace
from llmcli.system.environment import Environment

if TYPE_CHECKING:
    from llmcli.chat.prompt.templates import Template
    from llmcli.chat.sessions.history import Session
    from llmcli.config.map_options import MapOptions

# Seconds of silence with --no-stream, unless the user sets them: such an answer is silent until it
# is complete.
_WHOLE_ANSWER_TIMEOUT = 300.0


def check_variables(options: PromptOptions) -> None:
    """Raise UsageError for variables of a template where none is named."""
    if options.param and not options.template:
        hint = "name the template with -t; a prompt needs no option"
        raise UsageError("-p gives a template's variable, and there is no template", hint=hint)


def template(environment: Environment, options: PromptOptions) -> "Template | None":
    """Return the template of -t, or None without -t.

    Raise UsageError for a name that is not valid, NoInput for a file that cannot be read, and
    ConfigError for one that is malformed.
    """
    if options.template is None:
        return None
    from llmcli.chat.prompt import templates  # noqa: PLC0415  # needed with -t only

    return templates.load_template(environment, options.template)


def session(environment: Environment, options: ConversationOptions) -> "Session | None":
    """Return the session of --session, which may be new, or of --continue; None without either.

    Raise UsageError for a name that is not valid, NoInput for a file that cannot be read or if
    there is no session to go on with, and ConfigError if other users could change the files.
    """
    if options.session is None and not options.go_on:
        return None
    from llmcli.chat.sessions import store  # noqa: PLC0415  # a plain ask has no session

    if options.go_on:
        session, of_terminal = store.load_last_session(environment)
        if not of_terminal:
            environment.note(f"going on with session {session.name}, the last used in any terminal")
        return session
    assert options.session is not None
    return store.load_session(environment, options.session)


def settings(
    environment: Environment,
    options: "AskOptions | MapOptions",
    template: "Template | None",
    session: "Session | None" = None,
) -> Settings:
    """Return the settings of a run, from flags, `template`, environment, config.toml and defaults.

    A `session` that goes on keeps its model unless another one is named. For `ask` also start the
    deadline, which in `map` is that of each record. Raise UsageError for a flag that is not valid,
    ConfigError for a value from elsewhere.
    """
    is_ask = isinstance(options, AskOptions)
    sampling, connection = options.sampling, options.connection
    given = flags(sampling, connection) | {"tag": check_tag(options.account.tag)}
    check_ranges(given, dict.fromkeys(given, "flag"))
    if is_ask:  # a deadline that is given by flag holds while the config is read, too
        environment.start_deadline(given["deadline"] or 0)
    layer = template.settings if template else None
    resolved = file.resolve(environment, given, connection.profile, layer)
    request.check_reasoning(resolved.reasoning, field_names(resolved))
    if sampling.no_stream and resolved.source("idle_timeout") == "default":
        resolved = replace(resolved, idle_timeout=_WHOLE_ANSWER_TIMEOUT)
    if is_ask:
        environment.start_deadline(resolved.deadline)
    return _with_model_of(session, resolved) if session else resolved


def field_names(settings: Settings) -> request.FieldNames:
    """Return how the endpoint of the settings calls the fields that have several names."""
    return providers.request_names(providers.chosen(settings.provider, settings.base_url))


def allows_cut(settings: Settings, *, asked: bool, in_text: bool) -> bool:
    """Return whether an answer that is cut by its length limit is a success.

    It is one with --allow-cut (`asked`), and for plain text (`in_text`) if --max-tokens was given:
    whoever bounds a text expects it to end there, but a part of JSON cannot be used.
    """
    return asked or (in_text and settings.source("max_tokens") == "flag")


def check_number_of_choices(
    settings: Settings, shape: ShapeOptions, others: Sequence[str], *, as_text: bool
) -> None:
    """Raise UsageError if several choices are asked for where only one answer has a place.

    That is the case in text, with an answer that must have a `shape`, and with the options
    `others`. It is told before the choices are paid for.
    """
    number = request.choices_of(settings.options)
    if number == 1:
        return
    shapes = {"--schema": shape.schema is not None, "-x": shape.extract, "--yes-no": shape.yes_no}
    one = [*others, *(name for name, is_given in shapes.items() if is_given)]
    if one:
        problem = f"n={number} asks for several answers, and {one[0]} takes one"
        raise UsageError(f"{problem}; nothing sent", hint="drop one of them")
    if as_text:
        problem = f"n={number} asks for several answers, and text has one"
        raise UsageError(f"{problem}; nothing sent", hint="use --json")


def tell_of_another_model(environment: Environment, session: "Session", model: str) -> None:
    """Note on stderr if the last turn of `session` was with another model than `model`."""
    before = session.last("model")
    if before not in (None, model):
        change = f"session {session.name} goes on with {model}; its last turn was with {before}"
        environment.note(change)


def _with_model_of(session: "Session", resolved: Settings) -> Settings:
    """Return the settings with the model of the session's last turn.

    They stay as they are if a flag or template names a model, or if the endpoint is another one,
    which may not know that model.
    """
    model = session.last("model")
    if model is None or resolved.source("model") in ("flag", "template"):
        return resolved
    endpoint = session.last("endpoint")
    if endpoint is None:  # the embedded model, which runs where nothing else is configured
        same = resolved.model is None and resolved.base_url is None
    else:
        here = url.check_base_url(resolved.base_url or DEFAULT_BASE_URL)
        same = endpoint == url.filed(here)
    sources = {**resolved.sources, "model": f"session {session.name}"}
    return replace(resolved, model=model, sources=sources) if same else resolved
