"""The codes and words by which servers say what went wrong: one table, each row with its source.

Codes are what stands in the error's `code`, `type`, `status` and `reason`. Words are those of its
message; they are looked at only where the HTTP status leaves the cause open. A source is a page, or
several divided by spaces, that quotes what the server sent. One that is `unconfirmed` names who is
known to say it, and was not found to quote it.
"""

import re
from typing import NamedTuple

from llmcli import errors
from llmcli.errors import LlmcliError

# In the patterns a space stands for any of space, `_` and `-`, and for nothing: servers write one
# code in several ways.


class Row(NamedTuple):
    """One cause: the error it is, a pattern of codes, a pattern of words, and its source."""

    kind: type[LlmcliError]
    codes: str
    words: str
    source: str


# What is looked for first stands first: a spent limit, however long the server says to wait.
ROWS = (
    Row(errors.PaymentRequired, "insufficient quota|billing hard limit|billing not active", "",
        "https://github.com/dfinke/PowerShellAI/issues/127"
        " https://github.com/ChatGPTNextWeb/NextChat/issues/3123"),
    Row(errors.PaymentRequired, "spend limit|out of credits|insufficient credits", "",
        "https://github.com/cline/cline/pull/10207"),
    Row(errors.PaymentRequired, "", "credit balance is too low",
        "https://github.com/anthropics/claude-quickstarts/issues/229"),
    Row(errors.PaymentRequired, "exceeded current quota", "account .{0,80}suspended",
        "https://github.com/anomalyco/opencode/issues/24462"),
    Row(errors.PaymentRequired, "budget exceeded",
        "budget has been exceeded|exceeded budget for|exceeded budget:",
        "https://github.com/BerriAI/litellm/issues/14144"
        " https://github.com/OWASP/OpenCRE/pull/1102"),
    Row(errors.PaymentRequired, "", "used all available credits|reached .{0,20}spending limit",
        "https://github.com/continuedev/continue/issues/10373"),
    Row(errors.PaymentRequired, "insufficient balance", "insufficient.{0,9}(credit|balance|fund)",
        "https://github.com/1Panel-dev/MaxKB/issues/3797"),
    Row(errors.TooLong, "context length exceeded|string above max length",
        "maximum context length",
        "https://github.com/stanford-crfm/helm/issues/94"),
    Row(errors.TooLong, "request too large", "prompt is too long|exceed context limit",
        "https://github.com/anthropics/claude-code/issues/12186"
        " https://github.com/docker/docker-agent/issues/569"),
    Row(errors.TooLong, "", "input token count.{0,60}exceeds",
        "https://github.com/google-gemini/gemini-cli/issues/6678"),
    Row(errors.TooLong, "too many prompt tokens|prompt too long", "all messages is too long",
        "unconfirmed: https://docs.perplexity.ai"),
    Row(errors.TooLong, "exceed context size",
        "(exceeds?|larger than) (the )?(available )?context (size|length|window)"
        "|context size has been exceeded",
        "https://github.com/ggml-org/llama.cpp/pull/15780"
        " https://github.com/ggml-org/llama.cpp/issues/19774"
        " https://github.com/abetlen/llama-cpp-python/issues/416"),
    Row(errors.TooLong, "", "exceed(s|ed)? (the )?(max(imum)? )?context length|context overflow",
        "unconfirmed: https://github.com/ollama/ollama/blob/main/docs/api.md"),
    Row(errors.TooLong, "context window exceeded", "context window.{0,20}exceed",
        "https://docs.litellm.ai/docs/exception_mapping"),
    Row(errors.TooLong, "", "maximum prompt length",
        "https://github.com/cline/cline/issues/3120"),
    Row(errors.TooLong, "", "range of input length should be",
        "https://github.com/QwenLM/qwen-code/issues/98"),
    Row(errors.TooLong, "",
        "too large for model with|exceeded model token limit|exceeds? max length",
        "unconfirmed: https://docs.mistral.ai https://platform.moonshot.ai"
        " https://docs.bigmodel.cn"),
    Row(errors.TooLong, "tokens limit reached", "",
        "https://github.com/eslint/tsc-meetings/pull/593"),
    Row(errors.TooLong, "", "too many (input |prompt )?tokens",
        "https://github.com/cohere-ai/sandbox-topically/issues/4"),
    Row(errors.TooLong, "", "input is too long for requested model",
        "https://github.com/aws-samples/bedrock-chat/issues/95"),
    Row(errors.TooLong, "", "inputs`? .{0,40}must (be|have).{0,20}(<=|less)",
        "https://github.com/huggingface/chat-ui/issues/340"
        " https://github.com/opea-project/GenAIExamples/pull/340"),
    Row(errors.TooLong, "", "model is loaded with context length",
        "https://github.com/cline/cline/issues/3664"),
    Row(errors.Filtered, "content filter|content policy|responsible ai|prompt blocked|moderation",
        "violat\\w+ .{0,40}(content|usage) polic|content management policy",
        "https://github.com/compl-ai/compl-ai/issues/20"
        " https://github.com/BerriAI/litellm/pull/16231"),
    Row(errors.Filtered, "data inspection failed",
        "data inspection failed|data may contain inappropriate content",
        "https://github.com/camel-ai/owl/issues/432"
        " https://github.com/QwenLM/qwen-code/issues/2905"),
    Row(errors.AuthError, "invalid api key|account deactivated", "incorrect api key",
        "https://platform.openai.com/docs/guides/error-codes"),
    Row(errors.AuthError, "authentication error", "invalid x-api-key",
        "https://github.com/eyaltoledano/claude-task-master/issues/222"),
    Row(errors.AuthError, "api key invalid|unauthenticated",
        "api key (not valid|expired|not found)|missing or invalid authorization",
        "https://github.com/continuedev/continue/issues/10748"
        " https://github.com/google-gemini/gemini-cli/issues/25198"),
    Row(errors.AuthError, "", "authentication fails",
        "https://github.com/deepseek-ai/DeepSeek-R1/issues/82"),
    Row(errors.AuthError, "", "invalid api key|api key.{0,20}(invalid|expired)",
        "unconfirmed: https://docs.perplexity.ai"
        " https://github.com/ggml-org/llama.cpp/tree/master/tools/server"),
    Row(errors.AuthError, "auth error|token not found in db",
        "authentication error|no api key passed in|invalid proxy server token",
        "https://github.com/BerriAI/litellm/issues/11639"
        " https://github.com/BerriAI/litellm/issues/7287"),
    Row(errors.NoModel, "model not found|model decommissioned|model not available"
        "|model not supported|deployment not found",
        r"model( \S{1,120})? (does not exist|(is |was )?not found|has been decommissioned)",
        "https://github.com/atiilla/sqlmap-ai/issues/3"
        " https://github.com/zh-plus/openlrc/issues/63"),
    Row(errors.NoModel, "", "^model: \\S+\\s*$",
        "https://github.com/mattermost/mattermost-plugin-agents/issues/257"),
    Row(errors.NoModel, "", "models/.{0,80} is not (found|supported)|unexpected model name",
        "https://github.com/continuedev/continue/issues/9939"),
    Row(errors.NoModel, "invalid model", "invalid model\\b(?! (parameter|input|response|output))",
        "https://github.com/perplexityai/api-discussion/issues/262"),
    Row(errors.NoModel, "", "model not exist|not found the model",
        "https://github.com/ConardLi/easy-dataset/issues/9"),
    Row(errors.NoModel, "", "not found, try pulling|no such model",
        "https://github.com/netease-youdao/QAnything/issues/555"),
    Row(errors.NoModel, "unknown model", "unknown model",
        "https://github.com/github/gh-models/pull/4"),
    Row(errors.NoModel, "", "is not a valid model|no endpoints found",
        "https://github.com/chatboxai/chatbox/issues/2743"),
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
