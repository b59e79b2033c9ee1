"""The options that only `map` has, in groups as in `llmcli.config.options`."""

from typing import Annotated

from llmcli.config.options import (
    AccountOptions,
    Argument,
    ConnectionOptions,
    Option,
    PromptOptions,
    SamplingOptions,
    ShapeOptions,
    ToolOptions,
)
from llmcli.system.dataclass import dataclass

Words = Annotated[
    list[str] | None,
    Argument(
        metavar="[PROMPT]...",
        help="{} is the record, {field} and {a.b} parts of it; without them the record is first.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class InputOptions:
    """The options that say where the records come from and how they are parted."""

    format: Annotated[
        str | None,
        Option(
            "--format",
            metavar="FORMAT",
            help="lines, jsonl or csv. [lines; by content if PROMPT has {field}]",
        ),
    ] = None
    delimiter: Annotated[
        str | None,
        Option("--delimiter", metavar="CHAR", help="What parts the columns of CSV. [,]"),
    ] = None
    null: Annotated[bool, Option("--null", "-0", help="Records end with NUL, not newline.")] = False
    files: Annotated[
        list[str] | None,
        Option(
            "--files", metavar="PATTERN", help="Each file that matches is a record. Repeatable."
        ),
    ] = None
    requests: Annotated[
        str | None,
        Option("--requests", metavar="FILE|-", help="OpenAI batch file; batch format comes out."),
    ] = None


@dataclass(frozen=True)
class PaceOptions:
    """The options that say how many requests are sent at once, in a minute, and from where."""

    jobs: Annotated[
        int,
        Option("--jobs", "-j", metavar="N", min=1, help="Records asked at once by a worker."),
    ] = 8
    rpm: Annotated[float | None, Option("--rpm", metavar="N", help="Most requests a minute.")] = (
        None
    )
    tpm: Annotated[
        int | None, Option("--tpm", metavar="N", min=1, help="Most tokens a minute.")
    ] = None
    cluster: Annotated[
        str | None,
        Option(
            "--cluster",
            metavar="ADDRESS|local[:N]",
            help="Workers of a Dask cluster, or N processes of this machine.",
        ),
    ] = None


@dataclass(frozen=True)
class ServerOptions:
    """The options that leave the work to the server's own batches."""

    batch: Annotated[
        bool,
        Option("--batch", help="Ask as a batch: cheaper, within a day. Needs -O."),
    ] = False
    detach: Annotated[
        bool, Option("--detach", help="Send the batch and end; --resume fetches it.")
    ] = False
    cancel: Annotated[
        bool, Option("--cancel", help="End the batch of FILE, at the server as well.")
    ] = False

    @property
    def wanted(self) -> bool:
        """Return whether any of them is given, as each means batches."""
        return self.batch or self.detach or self.cancel


@dataclass(frozen=True)
class ResultOptions:
    """The options that say what `map` writes, where, and which records it asks."""

    json: Annotated[bool, Option("--json", help="One JSON object a record.")] = False
    csv: Annotated[
        bool, Option("--csv", help="The columns of the input, then answer, ok, error, cost_usd.")
    ] = False
    one_line: Annotated[
        bool,
        Option("--one-line", help="One line an answer: line ends as \\n, backslashes as \\\\."),
    ] = False
    output: Annotated[
        str | None, Option("--output", "-O", metavar="FILE", help="Keep the answers here.")
    ] = None
    resume: Annotated[
        bool, Option("--resume", help="Go on with FILE: only what has no answer there.")
    ] = False
    restart: Annotated[
        bool, Option("--restart", help="Begin anew, even if FILE has a run that did not end.")
    ] = False
    retry_failed: Annotated[
        bool, Option("--retry-failed", help="Only what has failed in FILE, all of it.")
    ] = False
    unordered: Annotated[
        bool, Option("--unordered", help="Answers as they come, not in the order of the input.")
    ] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="No summary, no warnings.")] = False
    verbose: Annotated[
        bool, Option("--verbose", "-v", help="Show each request, retry and failure.")
    ] = False
    allow_cut: Annotated[
        bool, Option("--allow-cut", help="An answer cut by its length is fine.")
    ] = False
    dry_run: Annotated[
        bool, Option("--dry-run", help="Say how many requests and what cost; send nothing.")
    ] = False


@dataclass(frozen=True)
class MapOptions:
    """All options of `map`, in groups."""

    prompt: PromptOptions = PromptOptions()
    input: InputOptions = InputOptions()
    pace: PaceOptions = PaceOptions()
    server: ServerOptions = ServerOptions()
    results: ResultOptions = ResultOptions()
    tools: ToolOptions = ToolOptions()
    shape: ShapeOptions = ShapeOptions()
    sampling: SamplingOptions = SamplingOptions()
    connection: ConnectionOptions = ConnectionOptions()
    account: AccountOptions = AccountOptions()

    @property
    def of_batch(self) -> bool:
        """Whether each record is a whole request of an OpenAI batch file (--requests)."""
        return self.input.requests is not None
