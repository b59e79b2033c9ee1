"""The commands, by name, with the first line of what each says of itself in full."""

COMMANDS = {
    "ask": "One completion, streamed to stdout. This is the default command.",
    "map": "One completion for each line, record or file of the input.",
    "models": "Print the models of the endpoint: context, prices, what they take.",
    "usage": "Print what was spent, summed by day, model, tag and the like.",
    "config": "Where settings come from, and whether they work.",
    "local": "The embedded model, which answers without key or network.",
    "session": "Conversations that were kept by `ask --session NAME`.",
    "template": "Saved prompts, for `ask -t NAME -p variable=value`.",
}
