"""The command that a command line means: its first word, or `ask` where that is left out."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, get_args

from llmcli.cli.command_table import COMMANDS
from llmcli.config.options import AskOptions
from llmcli.errors import UsageError
from llmcli.system.dataclass import fields
from llmcli.system.suggestions import one_step_apart


class Line(NamedTuple):
    """A command line with its command in front.

    `alone` is True for a single word without `ask`, option or `--`: it is a prompt only if there is
    text on stdin, as it could be a mistyped command, which must not cost money.
    """

    arguments: list[str]
    alone: bool = False


class _Word(NamedTuple):
    """A word that is no option and no option's value, and its place among the arguments."""

    text: str
    place: int


def with_command(arguments: Sequence[str]) -> Line:
    """Return the command line that `arguments` mean.

    The first word that is no option is the command if it is a command's name; options in front of
    it are moved behind it. Everything else is a prompt for `ask`. Raises UsageError for a word that
    misspells a command, and for a command that other programs of this kind have.
    """
    first = arguments[0] if arguments else ""
    if first in COMMANDS or first in ("--help", "-h", "--version"):
        return Line(list(arguments))
    words = list(_words(arguments))
    # Behind `--` nothing is a command.
    if not words or "--" in arguments[: words[0].place]:
        return Line(["ask", *arguments])
    word, place = words[0]
    if word in COMMANDS:
        return Line(_moved(arguments, place))
    has_blank = any(map(str.isspace, word))
    if not has_blank and (near := one_step_apart(word, COMMANDS)):
        _refuse_near(arguments, words, near)
    if len(words) > 1:
        from llmcli.cli.habits import key_command  # noqa: PLC0415  # not for a single prompt

        if hint := key_command([word.text for word in words]):
            raise UsageError(f"no such command: {word} {words[1].text}", hint=hint)
    alone = len(arguments) == 1 and not has_blank and word not in ("", "-")
    return Line(["ask", *arguments], alone)


def _moved(arguments: Sequence[str], place: int) -> list[str]:
    """Return `arguments` with the command at `place`, and its subcommand, in front of the options.

    A command without subcommands takes its words and options in any order.
    """
    options, command, rest = arguments[:place], arguments[place], arguments[place + 1 :]
    has_word = bool(rest) and not rest[0].startswith("-")
    return [command, *rest[:has_word], *options, *rest[has_word:]]


def _refuse_near(arguments: Sequence[str], words: Sequence[_Word], near: str) -> None:
    """Raise UsageError if the first of `words` misspells the command `near`, and is no prompt.

    It is taken for a prompt if it begins three words or more, and neither a subcommand nor an
    option of that command follows.
    """
    word, place = words[0]
    following = arguments[place + 1 : place + 2]
    if len(words) > 2 and not (following and _belongs(following[0], near)):
        return
    more = " …" if len(arguments) > place + 1 else ""
    raise UsageError(
        f"no such command: {word}",
        hint=f"did you mean `llmcli {near}`? To ask the model: `llmcli ask {word}{more}`",
    )


def _belongs(argument: str, command: str) -> bool:
    """Return whether `argument` is a subcommand or an option of `command`."""
    from llmcli.cli.app import load_command  # noqa: PLC0415  # brings Typer; for a misspelt name only

    loaded: Any = load_command(command)
    if not argument.startswith("-"):
        return argument in getattr(loaded, "commands", {})
    return any(argument.partition("=")[0] in parameter.opts for parameter in loaded.params)


def _words(arguments: Sequence[str]) -> Iterator[_Word]:
    """Yield the words of `arguments` that are no options of `ask` and no values of these.

    They end at an argument that is neither. All that stands behind `--` is a word.
    """
    takes_value = dict(_options())
    place, count = 0, len(arguments)
    while place < count:
        argument = arguments[place]
        if argument == "--":
            yield from (_Word(arguments[i], i) for i in range(place + 1, count))
            return
        if argument == "-" or not argument.startswith("-"):
            yield _Word(argument, place)
        else:
            width = _width(argument, takes_value)
            if not width:
                return
            place += width - 1
        place += 1


def _width(argument: str, takes_value: dict[str, bool]) -> int:
    """Return how many arguments the option `argument` takes up, 1 or 2; 0 if it is unknown."""
    name, equals, _ = argument.partition("=")
    if name.startswith("--"):
        return 0 if name not in takes_value else 2 if takes_value[name] and not equals else 1
    # Flags of one letter may be joined, and a value may follow its letter: `-qn`, `-mx`.
    for place, letter in enumerate(argument[1:], 2):
        wants = takes_value.get(f"-{letter}")
        if wants is None:
            return 0
        if wants:
            return 2 if place == len(argument) else 1
    return 1


def _options() -> Iterator[tuple[str, bool]]:
    """Yield each name of each option of `ask`, and whether it takes a value."""
    for group in fields(AskOptions):
        for option in fields(group.type):
            kind = option.type.__origin__
            is_flag = kind is bool or bool in get_args(kind)
            for name in option.type.__metadata__[0].names:
                yield name, not is_flag
