"""A completion for every line, record or file."""

from llmcli.batch import setup
from llmcli.batch.setup import Wanted
from llmcli.cli.run import Run
from llmcli.config.map_options import InputOptions, PaceOptions, Prompt, ResultOptions
from llmcli.config.options import (
    AccountOptions,
    ConnectionOptions,
    PromptOptions,
    SamplingOptions,
    ShapeOptions,
    ToolOptions,
)


def map(
    run: Run,
    given: PromptOptions,
    source: InputOptions,
    pace: PaceOptions,
    options: ResultOptions,
    tools: ToolOptions,
    shape: ShapeOptions,
    sampling: SamplingOptions,
    connecting: ConnectionOptions,
    account: AccountOptions,
    words: Prompt = None,
) -> int:
    """One completion for each line, record or file of the input.

    Records are lines of stdin; JSON lines or CSV rows if PROMPT has a {field}. A run with -O that
    was ended goes on with --resume: what has its answer is not asked again.

    \b
    Examples:
      llmcli map "Translate to French: {}" < lines.txt > french.txt
      llmcli map --json "Is {name} a fruit? {note}" < items.csv | jq .ok
      llmcli map -j 32 --json "Classify: {title}" < tickets.jsonl -O labels.jsonl --resume
      llmcli map --files "src/*.py" "Explain in one line" -O notes.txt
      llmcli map --requests batch.jsonl -O results.jsonl
    """
    environment = run.environment
    environment.quiet = options.quiet
    wanted = Wanted(
        given, source, pace, options, tools, shape, sampling, connecting, account, words
    )
    setup.run(environment, wanted)
    return 0
