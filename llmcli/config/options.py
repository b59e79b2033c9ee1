"""The options of the command line, in groups; a command takes whole groups.

An option is a field of a group: its annotation has the type, the names and the help, and the
default of the field is that of the option. The declarations do without Typer, which is slow to
load. `llmcli.cli.parser` reads a plain command line with these declarations alone; for any other
command line `llmcli.cli.app` turns them into options of Typer.
"""

from typing import Annotated, Any

from llmcli.system.dataclass import dataclass
from llmcli.system.duration import Seconds


class Option:
    """The declaration of an option: the arguments for a call of `typer.Option`.

    `names` are such as "--file" and "-f"; `about` are the keyword arguments, such as `help`.
    """

    def __init__(self, *names: str, **about: Any) -> None:
        self.names = names
        self.about = about


class Argument(Option):
    """The declaration of the words beside the options: the arguments for `typer.Argument`."""


Words = Annotated[
    list[str] | None,
    Argument(
        metavar="[PROMPT]...",
        help="The prompt; without it, or if it is -, stdin is the prompt.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class PromptOptions:
    """The options that say what the prompt is made of."""

    no_stdin: Annotated[bool, Option("--no-stdin", "-n", help="Never touch stdin (for loops).")] = (
        False
    )
    file: Annotated[
        list[str] | None,
        Option(
            "--file",
            "-f",
            metavar="FILE",
            help="Add a text, image, PDF or sound file; - is stdin.",
        ),
    ] = None
    system: Annotated[
        str | None, Option("--system", "-s", metavar="TEXT|@FILE", help="System message.")
    ] = None
    template: Annotated[
        str | None, Option("--template", "-t", metavar="TEMPLATE", help="A saved prompt.")
    ] = None
    param: Annotated[
        list[str] | None,
        Option(
            "--param", "-p", metavar="VARIABLE=VALUE", help="Variable of the template. Repeatable."
        ),
    ] = None
    max_input: Annotated[
        str, Option("--max-input", metavar="SIZE", help="Refuse input beyond this size.")
    ] = "64M"


@dataclass(frozen=True)
class ConversationOptions:
    """The options that continue an earlier conversation or keep this one."""

    session: Annotated[
        str | None,
        Option("--session", metavar="SESSION", help="Keep the conversation under this name."),
    ] = None
    go_on: Annotated[
        bool, Option("--continue", "-c", help="Go on with the last session of this terminal.")
    ] = False
    messages: Annotated[
        str | None, Option("--messages", metavar="FILE|-", help="A whole conversation as JSON.")
    ] = None
    save_messages: Annotated[
        str | None,
        Option("--save-messages", metavar="FILE", help="Write the conversation for --messages."),
    ] = None
    tool_result: Annotated[
        list[str] | None,
        Option(
            "--tool-result",
            metavar="ID=TEXT|@FILE",
            help="Answer a tool call of the conversation. Repeatable.",
        ),
    ] = None


@dataclass(frozen=True)
class ToolOptions:
    """The options that let the model call tools."""

    tools: Annotated[
        str | None, Option("--tools", metavar="FILE", help="Tools the model may call, as JSON.")
    ] = None
    run_tools: Annotated[
        bool, Option("--run-tools", help="Run the command of a tool that is called.")
    ] = False
    approve: Annotated[bool, Option("--approve", help="Ask at the terminal before each call.")] = (
        False
    )
    strict_tools: Annotated[
        bool, Option("--strict-tools", help="A tool that fails ends the run.")
    ] = False
    max_turns: Annotated[
        int, Option("--max-turns", metavar="N", min=1, help="Most requests while tools are run.")
    ] = 10


@dataclass(frozen=True)
class ShapeOptions:
    """The options that demand an answer of a certain form."""

    schema: Annotated[
        str | None,
        Option("--schema", metavar="FILE|JSON", help="The answer is JSON that fits this schema."),
    ] = None
    repair: Annotated[
        int,
        Option(
            "--repair", metavar="N", min=0, help="Times to ask again if the answer does not fit."
        ),
    ] = 0
    extract: Annotated[
        bool, Option("--extract", "-x", help="Only the first fenced block of the answer.")
    ] = False
    block: Annotated[
        str | None,
        Option("--block", metavar="LANG|last|N", help="Only this fenced block of the answer."),
    ] = None
    yes_no: Annotated[bool, Option("--yes-no", help="The exit code answers: 0 yes, 1 no.")] = False


@dataclass(frozen=True)
class SamplingOptions:
    """The options that choose the model and set fields of the request body."""

    model: Annotated[
        str | None,
        Option("--model", "-m", metavar="MODEL", help="Model id, or local/PATH for a GGUF file."),
    ] = None
    temperature: Annotated[
        float | None, Option("--temperature", metavar="NUMBER", help="Sampling temperature.")
    ] = None
    max_tokens: Annotated[
        int | None, Option("--max-tokens", metavar="N", min=1, help="Most tokens to answer with.")
    ] = None
    top_p: Annotated[
        float | None, Option("--top-p", metavar="NUMBER", help="Nucleus sampling.")
    ] = None
    stop: Annotated[
        list[str] | None,
        Option("--stop", metavar="TEXT", help="Text that ends the answer. Repeatable."),
    ] = None
    seed: Annotated[int | None, Option("--seed", metavar="N", help="Seed for sampling.")] = None
    reasoning: Annotated[
        str | None,
        Option(
            "--reasoning",
            metavar="EFFORT",
            help="none, low, medium or high, or a number of tokens.",
        ),
    ] = None
    option: Annotated[
        list[str] | None,
        Option(
            "--option",
            "-o",
            metavar="KEY=VALUE",
            help="Any other body field, as JSON or text. Repeatable.",
        ),
    ] = None
    no_stream: Annotated[bool, Option("--no-stream", help="Ask for the answer in one piece.")] = (
        False
    )


@dataclass(frozen=True)
class AccountOptions:
    """The options that limit and record what requests cost."""

    max_cost: Annotated[
        float | None,
        Option("--max-cost", metavar="USD", help="Send nothing that could cost more than this."),
    ] = None
    tag: Annotated[
        str | None, Option("--tag", metavar="TAG", help="Name in the ledger and for budgets.")
    ] = None
    no_ledger: Annotated[bool, Option("--no-ledger", help="Do not record what this costs.")] = False


@dataclass(frozen=True)
class ConnectionOptions:
    """The options that say which endpoint is asked, and how long and how often."""

    profile: Annotated[
        str | None,
        Option("--profile", metavar="PROFILE", help="A profile of config.toml, or a provider."),
    ] = None
    base_url: Annotated[
        str | None, Option("--base-url", metavar="URL", help="Endpoint, without /chat/completions.")
    ] = None
    header: Annotated[
        list[str] | None,
        Option(
            "--header",
            metavar="NAME=VALUE",
            help="Further request header, or NAME: VALUE. Repeatable.",
        ),
    ] = None
    connect_timeout: Annotated[
        Seconds | None,
        Option(
            "--connect-timeout", metavar="TIME", parser=Seconds, help="Time limit to connect. [10s]"
        ),
    ] = None
    idle_timeout: Annotated[
        Seconds | None,
        Option(
            "--idle-timeout",
            metavar="TIME",
            parser=Seconds,
            help="Time limit of silence. [60s; 5m with --no-stream]",
        ),
    ] = None
    deadline: Annotated[
        Seconds | None,
        Option(
            "--deadline",
            metavar="TIME",
            parser=Seconds,
            help="Time limit of the run, or of each record of map; 0: none. [1h]",
        ),
    ] = None
    retries: Annotated[
        int | None,
        Option("--retries", metavar="N", help="Times to try again after a temporary failure. [3]"),
    ] = None


@dataclass(frozen=True)
class OutputOptions:
    """The options that say what `ask` writes, and where."""

    json: Annotated[bool, Option("--json", help="One JSON object on stdout.")] = False
    events: Annotated[bool, Option("--events", help="One JSON object a line as things happen.")] = (
        False
    )
    output: Annotated[
        str | None,
        Option("--output", "-O", metavar="FILE", help="Write here; replaced only on success."),
    ] = None
    no_newline: Annotated[
        bool, Option("--no-newline", help="Do not end the answer with a newline.")
    ] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="No usage line, no warnings.")] = False
    verbose: Annotated[
        bool, Option("--verbose", "-v", help="Show URL, status, request id and times.")
    ] = False
    usage_file: Annotated[
        str | None, Option("--usage-file", metavar="FILE", help="Append usage as one JSON line.")
    ] = None
    show_reasoning: Annotated[
        bool,
        Option("--show-reasoning", help="Show reasoning on stderr even if it is not a terminal."),
    ] = False
    allow_cut: Annotated[
        bool, Option("--allow-cut", help="An answer cut by its length is fine.")
    ] = False
    dry_run: Annotated[bool, Option("--dry-run", help="Print the request body; send nothing.")] = (
        False
    )
    curl: Annotated[bool, Option("--curl", help="Print a curl command; send nothing.")] = False


@dataclass(frozen=True)
class AskOptions:
    """All options of `ask`, in groups."""

    prompt: PromptOptions = PromptOptions()
    conversation: ConversationOptions = ConversationOptions()
    tools: ToolOptions = ToolOptions()
    shape: ShapeOptions = ShapeOptions()
    sampling: SamplingOptions = SamplingOptions()
    connection: ConnectionOptions = ConnectionOptions()
    account: AccountOptions = AccountOptions()
    output: OutputOptions = OutputOptions()
