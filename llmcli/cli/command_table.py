"""The names of all commands, each with the first line of its help."""

# A copy of the first line of each command's docstring: with it, `llmcli --help` and the completion
# of command names load none of the commands' modules. A test compares the two.
COMMANDS = {
    "ask": "Stream one completion to stdout. This is the default command.",
    "map": "Ask the model once for each line, record or file of the input.",
    "models": "Print the models of the endpoint: context, prices, features.",
    "usage": "Print what was spent, summed by day, model, tag and the like.",
    "config": "Show where settings come from, and check that they work.",
    "local": "Fetch, list and remove the embedded model, which needs no key.",
    "session": "List, show, export and remove conversations of `ask --session`.",
    "template": "List, show and edit saved prompts, for `ask -t NAME`.",
    "help": "Print a page of the manual, or the help of a command.",
    "completion": "Print the script that completes the command line in a shell.",
}
