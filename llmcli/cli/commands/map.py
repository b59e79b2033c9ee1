"""The command `map`: one completion for each line, record or file of the input."""

from llmcli.batch import setup
from llmcli.config.map_options import MapOptions, Words
from llmcli.system.environment import Environment


def map(environment: Environment, options: MapOptions, words: Words = None) -> int:
    """Ask the model once for each line, record or file of the input.

    Records are the lines of stdin, or JSON lines or CSV rows if PROMPT has a {field}. --resume
    goes on with a run with -O that was ended: records that have their answer are not asked again.

    \b
    Examples:
      llmcli map "Translate to French: {}" < lines.txt > french.txt
      llmcli map --json "Is {name} a fruit? {note}" < items.csv | jq .ok
      llmcli map -j 32 --json "Classify: {title}" < tickets.jsonl -O labels.jsonl --resume
      llmcli map --files "src/*.py" "Explain in one line" -O notes.txt
      llmcli map --requests batch.jsonl -O results.jsonl
    """
    environment.quiet = options.results.quiet
    setup.run_map(environment, options, words or [])
    return 0
