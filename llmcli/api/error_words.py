"""The codes and words by which servers say what went wrong: one table, each row with its source.

Codes are what stands in the error's `code`, `type`, `status` and `reason`. Words are those of its
message; they are looked at only where the HTTP status leaves the cause open.
"""

import re
from typing import NamedTuple

from llmcli import errors
from llmcli.errors import LlmcliError

# In the patterns a space stands for any of space, `_` and `-`, and for nothing: servers write one
# code in several ways.


class Row(NamedTuple):
    """One cause: the error it is, a pattern of codes, a pattern of words, and who says so."""

    kind: type[LlmcliError]
    codes: str
    words: str
    source: str


# What is looked for first stands first: a spent limit, however long the server says to wait.
ROWS = (
    Row(errors.PaymentRequired, "insufficient quota|billing hard limit|billing not active", "",
        "https://platform.openai.com/docs/guides/error-codes"),
    Row(errors.PaymentRequired, "spend limit|out of credits|insufficient credits", "",
        "https://docs.cline.bot"),
    Row(errors.PaymentRequired, "", "credit balance is too low",
        "https://docs.anthropic.com/en/api/errors"),
    Row(errors.PaymentRequired, "exceeded current quota", "account .{0,80}suspended",
        "https://platform.moonshot.ai/docs/api/chat#error-response"),
    Row(errors.PaymentRequired, "budget exceeded", "budget has been exceeded",
        "https://docs.litellm.ai/docs/proxy/users"),
    Row(errors.PaymentRequired, "", "used all available credits|reached .{0,20}spending limit",
        "https://docs.x.ai/docs/key-information/debugging"),
    Row(errors.PaymentRequired, "insufficient balance", "insufficient.{0,9}(credit|balance|fund)",
        "https://api-docs.deepseek.com/quick_start/error_codes"),
    Row(errors.TooLong, "context length exceeded|string above max length",
        "maximum context length",
        "https://platform.openai.com/docs/guides/error-codes"),
    Row(errors.TooLong, "request too large", "prompt is too long|exceed context limit",
        "https://docs.anthropic.com/en/api/errors"),
    Row(errors.TooLong, "", "input token count.{0,60}exceeds",
        "https://ai.google.dev/gemini-api/docs/troubleshooting"),
    Row(errors.TooLong, "too many prompt tokens|prompt too long", "all messages is too long",
        "https://docs.perplexity.ai"),
    Row(errors.TooLong, "exceed context size",
        "(exceeds?|larger than) the (available )?context (size|length|window)",
        "https://github.com/ggml-org/llama.cpp/tree/master/tools/server"),
    Row(errors.TooLong, "", "exceed(s|ed)? (the )?(max(imum)? )?context length|context overflow",
        "https://github.com/ollama/ollama/blob/main/docs/api.md"),
    Row(errors.TooLong, "context window exceeded", "context window.{0,20}exceed",
        "https://docs.litellm.ai/docs/exception_mapping"),
    Row(errors.TooLong, "", "maximum prompt length|too large for model with",
        "https://docs.x.ai, https://docs.mistral.ai"),
    Row(errors.TooLong, "",
        "exceeded model token limit|exceeds? max length|range of input length should be",
        "https://platform.moonshot.ai, https://docs.bigmodel.cn, https://help.aliyun.com"),
    Row(errors.TooLong, "tokens limit reached",
        "too many (input |prompt )?tokens|input is too long for requested model"
        "|inputs`? .{0,40}must (be|have).{0,20}(<=|less)|model is loaded with context length",
        "https://docs.github.com/en/github-models and the servers of Cohere, Bedrock, TGI"),
    Row(errors.Filtered, "content filter|content policy|responsible ai|data inspection failed"
        "|prompt blocked|moderation", "violat\\w+ .{0,40}(content|usage) polic",
        "https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter"),
    Row(errors.AuthError, "invalid api key|account deactivated", "incorrect api key",
        "https://platform.openai.com/docs/guides/error-codes; xAI says so with 400"),
    Row(errors.AuthError, "authentication error", "invalid x-api-key",
        "https://docs.anthropic.com/en/api/errors"),
    Row(errors.AuthError, "api key invalid|unauthenticated",
        "api key (not valid|expired|not found)|missing or invalid authorization",
        "https://ai.google.dev/gemini-api/docs/troubleshooting"),
    Row(errors.AuthError, "", "authentication fails",
        "https://api-docs.deepseek.com/quick_start/error_codes"),
    Row(errors.AuthError, "", "invalid api key|api key.{0,20}(invalid|expired)",
        "https://docs.perplexity.ai, https://github.com/ggml-org/llama.cpp/tree/master/tools/server"),
    Row(errors.AuthError, "auth error|token not found in db",
        "authentication error|no api key passed in|invalid proxy server token",
        "https://docs.litellm.ai/docs/proxy/virtual_keys"),
    Row(errors.NoModel, "model not found|model decommissioned|model not available"
        "|model not supported|deployment not found",
        r"model( \S{1,120})? (does not exist|(is |was )?not found|has been decommissioned)",
        "https://platform.openai.com/docs/guides/error-codes; Groq, Together, Hugging Face, Azure"),
    Row(errors.NoModel, "", "^model: \\S+$",
        "https://docs.anthropic.com/en/api/errors"),
    Row(errors.NoModel, "", "models/.{0,80} is not (found|supported)|unexpected model name",
        "https://ai.google.dev/gemini-api/docs/troubleshooting"),
    Row(errors.NoModel, "invalid model", "invalid model\\b(?! (parameter|input|response|output))",
        "https://docs.perplexity.ai, https://docs.mistral.ai, https://docs.litellm.ai"),
    Row(errors.NoModel, "", "model not exist|not found the model",
        "https://api-docs.deepseek.com, https://platform.moonshot.ai"),
    Row(errors.NoModel, "", "not found, try pulling|no such model",
        "https://github.com/ollama/ollama/blob/main/docs/api.md"),
    Row(errors.NoModel, "unknown model", "unknown model|is not a valid model|no endpoints found",
        "https://docs.github.com/en/github-models, https://openrouter.ai/docs/api-reference/errors"),
)  # fmt: skip
# What 429 and 403 mean by prose alone, where the server names no time: a limit for a day or longer.
SPENT = (
    r"(?i)insufficient.?quota|spend.?limit|plan.?limit|out of credits|billing"
    r"|free.?(tier|model).{0,40}(limit|exhausted|exceeded|per.day)"
)
# Gemini's quotaId says over which time the quota counts, in words such as PerDay.
PER_DAY = r"(?i)per.?day|daily"


def kind_of_code(codes: str) -> type[LlmcliError] | None:
    """Return the error that `codes` stand for, which are joined by spaces; None if it is open."""
    return _first(codes, 1)


def kind_of_words(message: str) -> type[LlmcliError] | None:
    """Return the error that the words of a `message` stand for; None if they leave it open."""
    return _first(message, 2)


def _first(text: str, column: int) -> type[LlmcliError] | None:
    for row in ROWS:
        pattern = str(row[column])
        if pattern and re.search(pattern.replace(" ", r"[\s_-]*"), text, re.I | re.S):
            return row.kind
    return None
