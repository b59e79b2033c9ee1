"""What people type by the habits of other programs, and the line that leads on from it."""

from collections.abc import Iterable, Sequence

_KEY = (
    "keys are read, never given on a command line: set LLMCLI_API_KEY, or api_key_file or "
    "api_key_command in config.toml; see `llmcli config check`"
)
_EDIT = 'edit the file: `$EDITOR "$(llmcli config path)"`, or set a variable such as LLMCLI_MODEL'
_TALK = "keep a conversation with --session NAME, and go on with -c"
_MANUAL = "`llmcli help` lists the pages of the manual"
_INSTALL = "see `llmcli help install`"
_CHECK, _USAGE = "use `llmcli config check`", "use `llmcli usage`"
_SESSIONS, _SESSION = "use `llmcli session list`", "use `llmcli session show NAME`"
_TEMPLATES = "use `llmcli template list`, and -t NAME"

# What to use in the place of options that llmcli does not have, by the words of llm, shell-gpt,
# aichat, mods, curl, the CLI of openai and others.
_INSTEAD: dict[str, tuple[str, ...]] = {
    "use `llmcli --version`": ("-V",),
    "it stands alone: `llmcli --version`": ("--version",),
    "use `llmcli --help`": ("-?", "--help-all", "--usage-help"),
    "use --temperature": ("--temp",),
    "use --top-p": ("--topp", "-P"),
    "answers are streamed anyway; --no-stream turns that off": ("--stream", "--streaming"),
    "use --json, or --events as it streams": (
        *("--output-format", "--format", "--format-as", "--response-format", "--raw"),
    ),
    "use -s/--system": ("--system-prompt", "--sys", "--role", "--instructions"),
    "use -s @FILE": ("--sf", "--system-fragment", "--system-file"),
    "use -f/--file": (
        *("--image", "--attachment", "--attach", "--fragment", "-a", "-i", "--input"),
        *("--input-file", "--context", "--rag", "--prompt-file"),
    ),
    "use -f/--file, which finds out the type": ("--attachment-type", "--at"),
    "use --base-url": (
        *("--url", "--host", "--endpoint", "--api-base", "--server", "--base"),
        *("--openai-base-url", "--api-url", "--api-host"),
    ),
    "use --profile azure": ("--azure-endpoint", "--azure-deployment", "--api-type"),
    "put it behind the address: --base-url 'https://…?api-version=…'": ("--api-version",),
    "use --header 'OpenAI-Organization: …'": ("--organization", "--org"),
    "use --header 'NAME: VALUE'": ("-H", "--headers", "-A", "--user-agent"),
    "use --deadline 5m": ("--timeout", "--time-limit", "--max-time"),
    _TALK: (
        *("--chat", "--interactive", "--resume", "--conversation", "--cid", "--repl", "--title"),
        *("--empty-session", "--save-session", "--interaction", "--database"),
    ),
    "use -c/--continue": ("--continue-last", "-C"),
    _SESSIONS: ("--list-chats", "--list-sessions", "-l", "--list", "--conversations"),
    _SESSION: ("--show-chat", "--show", "--show-last"),
    "use `llmcli session remove NAME`": ("--delete", "--delete-older-than", "--delete-chat"),
    _TEMPLATES: ("--list-roles", "--show-role", "--list-templates", "--list-agents", "-r"),
    "use `llmcli template edit NAME`": ("--create-role", "--save-template"),
    "choose a profile of config.toml with --profile, or give --base-url": (
        *("--provider", "--backend", "--api", "--client"),
    ),
    "PROMPT needs no option": ("--prompt", "--query", "--message", "--text", "-g", "--prompt-args"),
    "write it into a file: llmcli < FILE": ("--editor", "-E"),
    "use `llmcli models`": ("--list-models", "--models"),
    "use `llmcli models --refresh`": ("--sync-models", "--update-models"),
    "use -m/--model, or --max-tokens N for the length": ("-M",),
    "use -m/--model": ("--ask-model", "--engine", "--deployment"),
    "use --schema FILE": ("--json-schema", "--structured", "--schema-multi"),
    "use -x, which prints only the fenced block": ("--code", "--code-only", "--only-code"),
    "use --block last": ("--xl", "--extract-last"),
    "use --tools FILE, with --run-tools": ("-T", "--tool", "--functions", "--agent", "--mcp"),
    'print the command, look at it, then run it: llmcli -x "…"': (
        *("--shell", "--execute", "-e", "--describe-shell", "--macro"),
    ),
    "use -O/--output FILE": ("--save", "--out", "--output-file", "--outfile"),
    "use -v/--verbose": (
        *("--debug", "--trace", "--log", "--log-level", "--td", "--tools-debug", "--include", "-I"),
    ),
    "use -q/--quiet": ("--silent", "-S", "--no-usage"),
    "the usage line is on stderr anyway; --usage-file FILE keeps it": ("-u", "--usage"),
    "use --reasoning low, medium or high": ("--think", "--thinking", "--effort"),
    "use --retries N": ("--max-retries", "--retry"),
    "give other fields of the request by -o KEY=VALUE": (
        *("--top-k", "--topk", "--num-ctx", "--data", "--data-raw", "--json-data", "--field"),
        *("-d", "--user"),
        *("--frequency-penalty", "--presence-penalty", "--logit-bias", "--choices"),
    ),
    "use --max-tokens N": ("--max-output-tokens", "--max-new-tokens", "--num-predict"),
    "use --max-input SIZE": ("--no-limit", "--max-input-chars"),
    "use -m local": ("--local", "--offline"),
    "answers are plain text; pipe them on": (
        *("--copy", "--color", "--no-color", "--md", "--no-md", "--markdown", "--glamour"),
        *("--word-wrap", "--highlight", "--theme", "--fanciness"),
    ),
    "answers are not kept, so each is a new one": ("--cache", "--no-cache", "--cached"),
    "put the line of `llmcli completion SHELL` into your shell's start file": (
        *("--install-integration", "--install-completion", "--show-completion"),
    ),
    "use `llmcli config show`": ("--info", "--dirs", "--show-config", "--print-config"),
    _EDIT: ("--settings", "--reset-settings", "--set", "--edit-config"),
    "set HTTPS_PROXY; see `llmcli help providers`": ("--proxy", "--http-proxy", "--https-proxy"),
    "set ca_file; see `llmcli help providers`": (
        *("--insecure", "--cacert", "--capath", "--ca-bundle", "--no-verify", "--verify"),
    ),
    "set client_cert; see `llmcli help providers`": ("--cert", "--client-cert"),
    "redirects are not followed; give the address where they lead": ("-L", "--location"),
    "each kind of failure has an exit code anyway": ("--fail", "--fail-with-body"),
    "llmcli sends what the API wants; --curl shows it": ("-X", "--request", "--compressed"),
    "a run is one request; in a loop or a pipe use `llmcli map`": ("--async", "--batch"),
    "llmcli is no server": ("--serve", "--listen"),
    "use --no-ledger; prompts and answers are not kept anyway": ("--no-log", "--no-history"),
}
# The same for the options that mean something else in another command.
_IN_COMMAND: dict[str, dict[str, tuple[str, ...]]] = {
    "map": {
        "use -j/--jobs N": (
            *("--concurrency", "--parallel", "--workers", "--threads", "--batch-size", "-P"),
            *("--max-concurrency", "--num-workers"),
        ),
        "give the input on stdin: llmcli map … < FILE": (
            "-i",
            "--input",
            "--input-file",
            "--csv-file",
        ),
        "give fewer lines: head -n 5 FILE | llmcli map …": ("--limit", "--head", "--sample"),
        "write {NAME} in the prompt": ("--column", "--field", "--columns"),
        "use --resume": ("--continue", "-c", "--skip-existing", "--go-on"),
        "use --rpm N": ("--rate-limit", "--rate", "--qps", "--requests-per-minute"),
        "use --tpm N": ("--tokens-per-minute",),
        "use -O/--output FILE": ("--out", "--output-file", "--outfile", "--save"),
    },
    "usage": {
        "use --since 1d": ("--today", "--day"),
        "use --since 7d": ("--last", "--week", "--days"),
        "use --since 2026-11, or --by month": ("--month", "--monthly"),
        "use --by model": ("--model", "-m", "--models"),
        "use --by tag": ("--tag", "--tags"),
    },
    "models": {
        "use --sort price": ("--cheapest", "--price"),
        "use --json": ("--format", "--output-format", "--raw"),
        "use `llmcli models QUERY`": ("-q", "--search", "--filter", "--query", "--list"),
    },
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
    **dict.fromkeys(("chat", "repl", "new", "continue", "resume"), _TALK),
    **dict.fromkeys(("doctor", "status", "check", "test", "whoami", "info"), _CHECK),
    "logs": f"{_SESSIONS} for conversations, `llmcli usage` for costs",
    **dict.fromkeys(("history", "conversations", "chats"), _SESSIONS),
    **dict.fromkeys(("cost", "costs", "spend", "credits", "balance"), _USAGE),
    **dict.fromkeys(("budget", "budgets"), "see `llmcli help money`"),
    "pull": "use `llmcli local pull`",
    "batch": "use `llmcli map`",
    "list": "use `llmcli models`, `llmcli session list` or `llmcli template list`",
    **dict.fromkeys(("plugins", "extras", "install", "uninstall", "update", "upgrade"), _INSTALL),
    **dict.fromkeys(("providers", "aliases"), "see `llmcli help providers`"),
    **dict.fromkeys(("prompts", "roles", "agents", "patterns"), _TEMPLATES),
    **dict.fromkeys(("tools", "mcp", "functions"), "see `llmcli help tools`"),
    **dict.fromkeys(("schemas", "schema"), "see `llmcli help schema`"),
    **dict.fromkeys(("fragments", "files"), "give files with -f; see `llmcli help prompts`"),
    **dict.fromkeys(("docs", "manual", "man", "topics"), _MANUAL),
    **dict.fromkeys(("serve", "server", "ps", "proxy"), "llmcli is no server; it asks one"),
    **dict.fromkeys(("embed", "embeddings"), "llmcli asks for completions only"),
}
# Subcommands by the words of other programs.
_SUBCOMMANDS = {
    ("config", "set"): _EDIT,
    ("config", "init"): _EDIT,
    ("config", "get"): "use `llmcli config show`",
    ("config", "list"): "use `llmcli config show`",
    ("config", "doctor"): "use `llmcli config check`",
    ("config", "test"): "use `llmcli config check`",
    ("session", "new"): "begin one with `llmcli ask --session NAME …`",
    ("session", "start"): "begin one with `llmcli ask --session NAME …`",
    ("session", "continue"): "use `llmcli ask -c …`",
    ("session", "last"): "use `llmcli session show`, which shows the last one",
    ("session", "rename"): "use `llmcli session export NAME`, and go on with --messages",
    ("local", "models"): "use `llmcli local list`",
    ("config", "edit"): _EDIT,
    ("template", "new"): "use `llmcli template edit NAME`",
    ("template", "create"): "use `llmcli template edit NAME`",
    ("template", "add"): "use `llmcli template edit NAME`",
    ("template", "run"): "use `llmcli ask -t NAME`",
    ("template", "remove"): "remove its file; `llmcli template edit NAME` shows where it is",
    ("local", "run"): "use `llmcli ask -m local …`",
}
# What is meant by more words than a command takes.
_EXTRA_WORDS = {
    "models": "`llmcli models gpt` lists those with gpt in their id; -m, or `model = …` in "
    "config.toml, chooses one",
    "completion": "one shell at a time: bash, zsh or fish",
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


def foreign_option(name: str, command: str) -> str | None:
    """Return the hint for `name`, an option of other programs, in `command`; None for any other.

    Case counts: -V is not -v. The hint for an option that takes a key never holds the key.
    """
    if name.lower().replace("-", "").replace("_", "") in _KEYS:
        return _KEY
    for table in (_IN_COMMAND.get(command, {}), _INSTEAD):
        for hint, names in table.items():
            if name in names or name.replace("_", "-") in names:
                return hint
    return None


def extra_word(command: str) -> str | None:
    """Return the hint for a word too many behind `command`; None if there is no special one."""
    return _EXTRA_WORDS.get(command)


def foreign_subcommand(group: str, name: str, known: Iterable[str]) -> str | None:
    """Return the hint for the subcommand `name` of `group`, which has the `known` ones."""
    if hint := _SUBCOMMANDS.get((group, name)):
        return hint
    own = _SYNONYMS.get(name)
    return f"use `llmcli {group} {own}`" if own and own in known else None
