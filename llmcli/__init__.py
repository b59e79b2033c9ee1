"""llmcli: one-shot and piped completions from language models."""

__version__ = "0.2.0"
