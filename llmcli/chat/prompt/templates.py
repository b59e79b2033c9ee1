"""Templates: saved prompts in TOML files, with variables, a system message and settings."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmcli.chat.named_file import files_in, named_file
from llmcli.chat.prompt.content import STDIN_PLACE, Filled, Wording
from llmcli.chat.prompt.placeholders import WORD, pattern
from llmcli.config import file, settings
from llmcli.errors import ConfigError, NoInput, UsageError
from llmcli.system.dataclass import dataclass, field
from llmcli.system.environment import Environment
from llmcli.system.files.regular import read_regular
from llmcli.system.suggestions import did_you_mean
from llmcli.system.text import check_text

SUFFIX = ".toml"
# Settings that a template may have. Those that say where a prompt and a key are sent are left out,
# since templates are shared.
SETTINGS = ("model", "temperature", "max_tokens", "top_p", "seed", "reasoning", "stop", "options")
# Keys that are not settings.
_OWN = ("description", "system", "prompt", "defaults")
# `{name}` is a variable; `{{name}}` is a literal `{name}`.
_PLACE = pattern(WORD)
# Names that stand for PROMPT and stdin, and cannot be given by -p.
_PROMPT, _STDIN = "prompt", STDIN_PLACE.strip("{}")


@dataclass(frozen=True)
class Template:
    """A template as its file has it.

    `name` is what the user called it by, for messages. `defaults` has values for variables.
    `settings` has the keys of SETTINGS that the file sets, checked.
    """

    name: str
    path: Path
    description: str = ""
    system: str | None = None
    prompt: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def variables(self) -> list[str]:
        """Return the variables, each once, in the order of their places in system and prompt.

        `prompt` and `stdin` are not among them.
        """
        names = [m[2] for m in _PLACE.finditer(f"{self.system or ''}\n{self.prompt}") if m[2]]
        return [name for name in dict.fromkeys(names) if name not in (_PROMPT, _STDIN)]

    def fill(self, pairs: Sequence[str], words: str) -> Filled:
        """Return prompt and system message with values in place of the variables.

        `pairs` are the NAME=VALUE of -p, which win over the defaults. `words` is PROMPT: it takes
        the place of `{prompt}`, or else follows the prompt of the template. `-` counts as no
        PROMPT, since stdin is sent in either case.

        Raise UsageError for a variable that is unknown or has no value, and for a missing PROMPT.
        """
        words = "" if words == "-" else words
        values = {**self.defaults, **self._given(pairs)}
        missing = [name for name in self.variables() if name not in values]
        if missing:
            hint = "give " + " ".join(f"-p {name}=…" for name in missing)
            raise UsageError(f"template {self.name} lacks {', '.join(missing)}", hint=hint)
        if f"{{{_PROMPT}}}" in self.prompt and not words:
            raise UsageError(f"template {self.name} needs a PROMPT")
        prompt = Wording(tuple(self._pieces(values, Wording.of(words))))
        if words and f"{{{_PROMPT}}}" not in self.prompt:
            between = ("\n\n",) if self.prompt else ()
            prompt = Wording((*prompt.pieces, *between, *Wording.of(words).pieces))
        system = None
        if self.system is not None:
            system = _PLACE.sub(lambda m: values[m[2]] if m[2] else f"{{{m[1]}}}", self.system)
        return Filled(system, prompt)

    def _given(self, pairs: Sequence[str]) -> dict[str, str]:
        given: dict[str, str] = {}
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if not equals:
                raise UsageError(f"-p {pair!r} is not NAME=VALUE")
            if name not in self.variables():
                known = ", ".join(self.variables())
                hint = f"its variables are: {known}" if known else "it has no variables"
                raise UsageError(f"template {self.name} has no variable {name!r}", hint=hint)
            given[name] = check_text(value, f"-p {name}")
        return given

    def _pieces(self, values: Mapping[str, str], words: Wording) -> Iterator[str | None]:
        """Yield the prompt piece by piece, filled in, with None at each place of stdin.

        It is filled in one pass, so that braces within a value are literal.
        """
        end = 0
        for match in _PLACE.finditer(self.prompt):
            yield self.prompt[end : match.start()]
            end = match.end()
            if match[1]:
                yield f"{{{match[1]}}}"
            elif match[2] == _STDIN:
                yield None
            elif match[2] == _PROMPT:
                yield from words.pieces
            else:
                yield values[match[2]]
        yield self.prompt[end:]


def template_path(environment: Environment, name: str) -> Path:
    """Return the path of the template `name`, in the configuration directory or a path of its own.

    Raise UsageError for a name that is not valid.
    """
    return named_file(environment.templates_directory, name, SUFFIX, "template")


def template_names(environment: Environment) -> list[str]:
    """Return the names of the templates in the configuration directory, sorted.

    Raise NoInput if the directory cannot be read.
    """
    return [path.stem for path in files_in(environment.templates_directory, SUFFIX)]


def load_template(environment: Environment, name: str) -> Template:
    """Return the template `name`, which may be a path, with its file checked.

    Raise UsageError for a name that is not valid, NoInput if the file cannot be read, and
    ConfigError if it is malformed, with the line.
    """
    path = template_path(environment, name)
    try:
        data = read_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        near = did_you_mean(name, template_names(environment), most=3, likeness=0.5)
        hint = near or "see `llmcli template list`"
        if re.fullmatch(r"[0-9.]+", name):
            hint = f"the temperature is --temperature {name}"
        raise NoInput(f"there is no template {name}", hint=hint) from None
    except OSError as error:
        raise NoInput(f"cannot read template {path}: {error.strerror}") from None
    document, text = file.parse_toml(data, path)
    for key, value in document.items():
        document[key] = _checked(key, value, f"{path}{file.line_of(key, text)}")
    template = Template(
        name,
        path,
        document.get("description", ""),
        document.get("system"),
        document.get("prompt", ""),
        document.get("defaults", {}),
        {key: document[key] for key in SETTINGS if key in document},
    )
    _check_places(template)
    return template


def _checked(key: str, value: Any, where: str) -> Any:
    """Return the value of a key at the top of the file; raise ConfigError, naming `where`."""
    if key in SETTINGS:
        return settings.checked(key, value, where)
    if key not in _OWN:
        known = (*_OWN, *SETTINGS)
        hint = did_you_mean(key, (*SETTINGS, *_OWN)) or f"a template can have {', '.join(known)}"
        raise ConfigError(f"{where}: a template cannot have {key!r}", hint=hint)
    if key != "defaults":
        if not isinstance(value, str):
            raise ConfigError(f"{where}: {key} must be a text")
        return value
    if not isinstance(value, dict) or any(isinstance(v, (dict, list)) for v in value.values()):
        raise ConfigError(f"{where}: defaults must be a table of texts")
    # Numbers and booleans as TOML spells them: true, not True.
    return {n: v if isinstance(v, str) else str(v).lower() for n, v in value.items()}


def _check_places(template: Template) -> None:
    """Raise ConfigError for a default without a variable, or a place that `system` cannot have."""
    unused = [name for name in template.defaults if name not in template.variables()]
    if unused:
        problem = f"defaults has {unused[0]!r}, but prompt and system have no {{{unused[0]}}}"
        raise ConfigError(f"{template.path}: {problem}")
    for match in _PLACE.finditer(template.system or ""):
        if match[2] in (_STDIN, _PROMPT):
            raise ConfigError(f"{template.path}: {match[0]} can stand in prompt, not in system")
