"""Static completion scripts for bash, zsh and fish.

Names are read from local files by the shell itself: a TAB starts no Python and no network.
"""

from pathlib import Path
from string import Template

from llmcli.cli.command_table import COMMANDS
from llmcli.cli.commands.completion import Shell
from llmcli.cli.commands.usage import By
from llmcli.cli.manual import TOPICS
from llmcli.config.providers import PROVIDERS
from tests.generated.tree import Command, Option, tree

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = Path(__file__).parent

# What stands where an option takes a value, by the option's metavar.
KINDS = {
    "FILE": "files",
    "FILE|-": "files",
    "TEXT|@FILE": "at_files",
    "PROFILE": "profiles",
    "MODEL": "models",
    "TEMPLATE": "templates",
    "SESSION": "sessions",
    "FILE|JSON": "files",
    "EFFORT": "efforts",
    "FORMAT": "formats",
    "UNIT": "units",
    "SHELL": "shells",
    "TOPIC": "topics",
    "VARIABLE=VALUE": "variables",
}
# The kinds whose names never change.
STATIC = {
    "efforts": "none low medium high",
    "formats": "lines jsonl csv",
    "units": " ".join(By),
    "shells": " ".join(Shell),
    "topics": " ".join(dict.fromkeys([*TOPICS, *COMMANDS])),
}


def files() -> dict[Path, str]:
    """The scripts: for packagers, and in the package for `llmcli completion`."""
    root = tree()
    scripts = {
        "llmcli.bash": _fill("bash", root, _bash(root)),
        "_llmcli": _fill("zsh", root, _zsh(root)),
        "llmcli.fish": _fill("fish", root, _fish(root)),
    }
    folders = (ROOT / "completions", ROOT / "llmcli" / "cli" / "completions")
    return {folder / name: text for folder in folders for name, text in scripts.items()}


def _fill(shell: str, root: Command, parts: dict[str, str]) -> str:
    template = (TEMPLATES / f"completion.{shell}").read_text()
    names = " ".join(command.path[0] for command in root.commands)
    return (
        Template(template.replace("$$", "\0"))
        .safe_substitute(
            commands=names,
            commands_or="|".join(names.split()),
            providers=" ".join(PROVIDERS),
            **parts,
        )
        .replace("\0", "$")
    )


def _values(command: Command, kind: str) -> str:
    """The names of the options of `command` that take a value of `kind`."""
    return "|".join(
        name
        for o in command.options
        if o.metavar and KINDS.get(o.metavar) == kind
        for name in o.names
    )


def _kind(command: Command) -> str | None:
    """What the argument of a command names."""
    return KINDS.get(command.argument)


def _bash(root: Command) -> dict[str, str]:
    cases = []
    for command in root.walk():
        if command.path:
            words = [c.path[-1] for c in command.commands]
            words += [name for option in command.options for name in option.names]
            names = f" [[ $cur == -* ]] || _llmcli_{kind} ;" if (kind := _kind(command)) else ""
            cases.append(f"    '{' '.join(command.path)}') words='{' '.join(words)}' ;{names};")
    everything = [option for command in root.walk() for option in command.options]
    kinds = sorted({KINDS[o.metavar] for o in everything if o.metavar in KINDS})
    merged = Command((), "", tuple({o.names: o for o in everything}.values()), "", ())
    values = [f"    {_values(merged, kind)}) _llmcli_{kind}; return ;;" for kind in kinds]
    plain = sorted({n for o in everything if o.metavar and o.metavar not in KINDS for n in o.names})
    values.append(f"    {'|'.join(plain)}) return ;;")
    groups = "|".join(c.path[0] for c in root.commands if c.commands)
    taking = sorted({n for o in everything if o.metavar for n in o.names})
    return {
        "static": "\n".join(f"_llmcli_{k}() {{ _llmcli_offer {v}; }}" for k, v in STATIC.items()),
        "short_taking": " | ".join(name for name in taking if not name.startswith("--")),
        "cases": "\n".join(cases),
        "values": "\n".join(values),
        "groups": groups,
        "taking": "|".join(taking),
    }


def _zsh(root: Command) -> dict[str, str]:
    functions = []
    for command in root.walk():
        if command.commands:
            continue
        name = "_".join(command.path)
        specs = [_zsh_spec(option) for option in command.options]
        rest = "'*: :'" if command.path == ("ask",) else ""
        if kind := _kind(command):
            rest = f"'*:{command.argument}:_llmcli_{kind}'"
        body = " \\\n    ".join(["_arguments -s -S", *specs, *([rest] if rest else [])])
        functions.append(f"_llmcli_do_{name}() {{\n  {body}\n}}")
    top = "\n".join(f"    {_zsh_entry(c)}" for c in root.commands)
    groups = []
    for group in (c for c in root.commands if c.commands):
        entries = "\n".join(f"      {_zsh_entry(c)}" for c in group.commands)
        groups.append(f"    {group.path[0]})\n      entries=(\n{entries}\n      ) ;;")
    return {
        "functions": "\n\n".join(functions),
        "static": "\n".join(f"_llmcli_{k}() {{ compadd -- {v} }}" for k, v in STATIC.items()),
        "top": top,
        "groups": "\n".join(groups),
    }


def _zsh_entry(command: Command) -> str:
    return _quote(f"{command.path[-1]}:{command.help}")


def _zsh_spec(option: Option) -> str:
    help_text = option.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
    value = ""
    if option.metavar:
        value = f":{option.metavar.replace(':', ' ')}:{_zsh_action(option.metavar)}"
    prefix = "*" if option.repeatable else f"({' '.join(option.names)})"
    # `=` and `+` let a value be joined to the name, as in --model=x and -mx.
    joined = {True: "=", False: "+"} if option.metavar else {True: "", False: ""}
    names = [name + joined[name.startswith("--")] for name in option.names]
    specs = [_quote(f"{prefix}{name}[{help_text}]{value}") for name in names]
    return " \\\n    ".join(specs)


def _zsh_action(metavar: str) -> str:
    kind = KINDS.get(metavar)
    return "_files" if kind == "files" else f"_llmcli_{kind}" if kind else " "


def _fish(root: Command) -> dict[str, str]:
    lines = []
    for command in root.commands:
        lines.append(f"complete -c llmcli -n __llmcli_first -a {command.path[0]} {_about(command)}")
        for sub in command.commands:
            lines.append(
                f"complete -c llmcli -n '__llmcli_group {command.path[0]}' "
                f"-a {sub.path[-1]} {_about(sub)}"
            )
    for command in root.walk():
        if command.path and not command.commands:
            condition = f"-n '__llmcli_in {' '.join(command.path)}'"
            if kind := _kind(command):
                lines.append(f"complete -c llmcli {condition} -a '(__llmcli_{kind})'")
            lines += [f"complete -c llmcli {condition} {_fish_option(o)}" for o in command.options]
    static = "function __llmcli_{}\n    string split ' ' '{}'\nend"
    made = [static.format(kind, names) for kind, names in STATIC.items()]
    return {"lines": "\n".join(lines), "static": "\n\n".join(made)}


def _about(command: Command) -> str:
    return f"-d {_quote(command.help)}"


def _fish_option(option: Option) -> str:
    parts = [f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names]
    if option.metavar:
        kind = KINDS.get(option.metavar)
        parts.append("-r -F" if kind == "files" else f"-x -a '(__llmcli_{kind})'" if kind else "-x")
    return " ".join([*parts, f"-d {_quote(option.help)}"])


def _quote(text: str) -> str:
    assert "'" not in text, text  # each shell would want its own escape
    return f"'{text}'"
