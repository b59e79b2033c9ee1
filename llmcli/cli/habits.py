"""What people type by the habits of other programs, and the line that leads on from it."""

from collections.abc import Iterable, Sequence

_KEY = (
    "keys are read, never given on a command line: set LLMCLI_API_KEY, or api_key_file or "
    "api_key_command in config.toml; see `llmcli config check`"
)
_EDIT = 'edit the file: `$EDITOR "$(llmcli config path)"`, or set a variable such as LLMCLI_MODEL'
_SYSTEM, _FILE, _JSON = "use -s/--system", "use -f/--file", "use --json, or --events as it streams"
_URL = "use --base-url"
_TALK = "keep a conversation with --session NAME, and go on with -c"
_PROVIDER = "choose a profile of config.toml with --profile, or give --base-url"
_STREAMS = "answers are streamed anyway; --no-stream turns that off"

# Options that llmcli does not have, and what to use in their place.
_OPTIONS = {
    "-V": "use `llmcli --version`",
    "--temp": "use --temperature",
    "--version": "it stands alone: `llmcli --version`",
    **dict.fromkeys(("--stream", "--streaming"), _STREAMS),
    **dict.fromkeys(("--output-format", "--format", "--response-format", "--raw"), _JSON),
    **dict.fromkeys(("--system-prompt", "--sys", "--role", "--instructions"), _SYSTEM),
    **dict.fromkeys(("--image", "--attachment", "--attach", "--fragment", "-a", "-i"), _FILE),
    **dict.fromkeys(("--input", "--input-file", "--context"), _FILE),
    **dict.fromkeys(("--url", "--host", "--endpoint", "--api-base", "--server", "--base"), _URL),
    **dict.fromkeys(("--openai-base-url", "--api-url", "--api-host"), _URL),
    **dict.fromkeys(("--timeout", "--time-limit", "--max-time"), "use --deadline 5m"),
    **dict.fromkeys(("--chat", "--interactive", "--resume", "--conversation", "--cid"), _TALK),
    **dict.fromkeys(("--provider", "--backend", "--api"), _PROVIDER),
    **dict.fromkeys(("--prompt", "--query", "--message", "--text"), "PROMPT needs no option"),
    **dict.fromkeys(("--list-models", "--models"), "use `llmcli models`"),
    **dict.fromkeys(("--json-schema", "--structured"), "use --schema FILE"),
    **dict.fromkeys(("--save", "--out", "--output-file", "--outfile"), "use -O/--output FILE"),
    **dict.fromkeys(("--debug", "--trace", "--log"), "use -v/--verbose"),
    **dict.fromkeys(("--silent", "-S", "--no-usage"), "use -q/--quiet"),
    **dict.fromkeys(("--think", "--thinking", "--effort"), "use --reasoning low, medium or high"),
    **dict.fromkeys(("--max-retries", "--retry"), "use --retries N"),
    **dict.fromkeys(("--top-k", "--num-ctx"), "give other fields of the request by -o KEY=VALUE"),
    **dict.fromkeys(
        ("--max-output-tokens", "--max-new-tokens", "--num-predict"), "use --max-tokens N"
    ),
    **dict.fromkeys(("--local", "--offline"), "use -m local"),
    **dict.fromkeys(("--copy", "--color", "--no-color"), "answers are plain text; pipe them on"),
}
# Options whose value is a key, without dashes and underscores.
_KEYS = (
    *("k", "key", "apikey", "token", "apitoken", "authtoken", "accesstoken", "bearer", "secret"),
    *("password", "openaikey", "openaiapikey", "anthropicapikey", "llmcliapikey", "clineapikey"),
)

# Commands of other programs that hold a key, and the words that may follow them. Any other word
# makes a prompt of it, as in `llmcli keys of a piano`.
_KEY_COMMANDS = {
    **dict.fromkeys(
        ("keys", "key"),
        ("set", "get", "list", "ls", "path", "show", "add", "remove", "delete", "rm"),
    ),
    "auth": ("login", "logout", "status", "list", "set", "token"),
    **dict.fromkeys(("login", "logout"), ()),
}
# Commands of other programs, and what to use in their place.
_COMMANDS = {
    **dict.fromkeys(_KEY_COMMANDS, _KEY),
    **dict.fromkeys(("setup", "init"), f"{_EDIT}; `llmcli config check` says what is missing"),
    **dict.fromkeys(("configure", "set"), _EDIT),
    "settings": "use `llmcli config show`",
    "version": "use `llmcli --version`",
    **dict.fromkeys(("chat", "repl"), _TALK),
    **dict.fromkeys(("doctor", "status", "check", "test"), "use `llmcli config check`"),
    "logs": "use `llmcli session list` for conversations, `llmcli usage` for costs",
    "history": "use `llmcli session list`",
    **dict.fromkeys(("cost", "costs"), "use `llmcli usage`"),
    "pull": "use `llmcli local pull`",
    "batch": "use `llmcli map`",
    "list": "use `llmcli models`, `llmcli session list` or `llmcli template list`",
}
# Subcommands by the words of other programs.
_SUBCOMMANDS = {
    ("config", "set"): _EDIT,
    ("config", "edit"): _EDIT,
    ("config", "init"): _EDIT,
    ("config", "get"): "use `llmcli config show`",
    ("config", "list"): "use `llmcli config show`",
    ("config", "doctor"): "use `llmcli config check`",
    ("config", "test"): "use `llmcli config check`",
    ("session", "new"): "begin one with `llmcli ask --session NAME …`",
    ("session", "start"): "begin one with `llmcli ask --session NAME …`",
    ("session", "continue"): "use `llmcli ask -c …`",
    ("template", "new"): "use `llmcli template edit NAME`",
    ("template", "create"): "use `llmcli template edit NAME`",
    ("template", "add"): "use `llmcli template edit NAME`",
    ("template", "run"): "use `llmcli ask -t NAME`",
    ("template", "remove"): "remove its file; `llmcli template edit NAME` shows where it is",
    ("local", "run"): "use `llmcli ask -m local …`",
}
_SYNONYMS = {
    **dict.fromkeys(("ls", "all"), "list"),
    **dict.fromkeys(("rm", "delete", "del", "clear", "uninstall"), "remove"),
    **dict.fromkeys(("get", "cat", "view", "print", "display"), "show"),
    **dict.fromkeys(("install", "download", "fetch", "add"), "pull"),
    "save": "export",
}


def foreign_command(word: str) -> str | None:
    """Return the hint for `word` if it is a command of other programs, else None."""
    return _COMMANDS.get(word)


def key_command(words: Sequence[str]) -> str | None:
    """Return the hint for `words` if they begin as the commands that give other programs a key.

    A key may stand in them, so they are not sent to a model even though several words are a prompt.
    """
    return _KEY if len(words) > 1 and words[1] in _KEY_COMMANDS.get(words[0], ()) else None


def foreign_option(name: str) -> str | None:
    """Return the hint for `name`, an option of other programs; None for any other.

    Case counts: -V is not -v. The hint for an option that takes a key never holds the key.
    """
    if name.lower().replace("-", "").replace("_", "") in _KEYS:
        return _KEY
    return _OPTIONS.get(name) or _OPTIONS.get(name.replace("_", "-"))


def foreign_subcommand(group: str, name: str, known: Iterable[str]) -> str | None:
    """Return the hint for the subcommand `name` of `group`, which has the `known` ones."""
    if hint := _SUBCOMMANDS.get((group, name)):
        return hint
    own = _SYNONYMS.get(name)
    return f"use `llmcli {group} {own}`" if own and own in known else None
