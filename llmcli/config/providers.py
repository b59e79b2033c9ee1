"""The providers that llmcli knows: where each is asked, by which key, and how it calls things.

Each is a profile without being configured. What stands here was read in the documents that `docs`
names, in November 2026. Models and prices change faster than that: a `model` here is only the
default, and `llmcli models` shows what there is.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from llmcli.api.request import FieldNames
from llmcli.config import url
from llmcli.errors import ConfigError
from llmcli.system.dataclass import dataclass

AUTHORIZATION = "Authorization"
DEFAULT_BASE_URL = "https://api.cline.bot/api/v1"
# Path below the resource that AZURE_OPENAI_ENDPOINT names, in the form without dated versions.
_AZURE_PATH = "/openai/v1"
# Below these each customer has a host of his own. They decide the form of a request, and never
# where a key may go: anybody can have such a host.
_AZURE_HOSTS = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")


@dataclass(frozen=True)
class Provider:
    """One provider.

    `base_url` is where it is asked, None where each customer has an address of his own.
    `address_variable` may name another address, `variables` hold the key. `key_header` carries it.
    `model` is a small and cheap one, the default. `token_limit` is the field that limits an answer,
    None where that depends on the model. `reasoning` is the form in which reasoning is asked for;
    see `api.request.FieldNames`. `batch` is the part of the price that a batch costs, None where
    there are none; `batch_docs` says so. `batch_path` is how the requests of a batch name Chat
    Completions, None where batches have another form than OpenAI's files and batches. `prices` is
    its name in the library genai-prices.
    """

    name: str
    base_url: str | None
    docs: str
    variables: tuple[str, ...] = ()
    address_variable: str | None = None
    key_header: str = AUTHORIZATION
    model: str | None = None
    token_limit: str | None = "max_tokens"
    reasoning: str = "reasoning_effort"
    batch: str | None = None
    batch_docs: str | None = None
    batch_path: str | None = None
    prices: str | None = None

    @property
    def is_local(self) -> bool:
        """Return whether it is a server on this machine, which wants no key."""
        return self.base_url is not None and url.is_loopback(self.base_url)

    def address(self, variables: Mapping[str, str]) -> str | None:
        """Return the base URL that holds where `variables` are set; None if there is none.

        Raise ConfigError if the variable for the address is set to what is not a URL.
        """
        given = variables.get(self.address_variable) if self.address_variable else None
        if not given:
            return self.base_url
        try:
            address = url.check_base_url(given)
        except ConfigError as error:
            raise error.replaced(message=f"{self.address_variable}: {error.message}") from None
        if self.base_url is None and not url.path_part(address):
            return url.join(address, _AZURE_PATH)
        return address

    def key_variable(self, variables: Mapping[str, str]) -> str | None:
        """Return the first of the variables for its key that is set, or None."""
        return next((name for name in self.variables if variables.get(name)), None)


PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider(
            "cline",
            DEFAULT_BASE_URL,
            "https://docs.cline.bot/api/overview",
            ("CLINE_API_KEY",),
            token_limit=None,
            reasoning="reasoning",
        ),
        Provider(
            "openai",
            "https://api.openai.com/v1",
            "https://platform.openai.com/docs/api-reference/chat/create",
            ("OPENAI_API_KEY",),
            "OPENAI_BASE_URL",
            model="gpt-5-nano",
            token_limit="max_completion_tokens",
            batch="0.5",
            batch_docs="https://platform.openai.com/docs/guides/batch",
            batch_path="/v1/chat/completions",
            prices="openai",
        ),
        Provider(
            "azure",
            None,
            "https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle",
            ("AZURE_OPENAI_API_KEY",),
            "AZURE_OPENAI_ENDPOINT",
            key_header="api-key",
            token_limit="max_completion_tokens",
            batch="0.5",
            batch_docs="https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch",
            batch_path="/chat/completions",
        ),
        Provider(
            "openrouter",
            "https://openrouter.ai/api/v1",
            "https://openrouter.ai/docs/api-reference/chat-completion",
            ("OPENROUTER_API_KEY",),
            reasoning="reasoning",
            batch="0.5",
            batch_docs="https://openrouter.ai/docs/guides/features/batch-api",
        ),
        Provider(
            "anthropic",
            "https://api.anthropic.com/v1",
            "https://platform.claude.com/docs/en/api/openai-sdk",
            ("ANTHROPIC_API_KEY",),
            model="claude-haiku-5-5",
            reasoning="thinking",
            batch="0.5",
            batch_docs="https://platform.claude.com/docs/en/build-with-claude/batch-processing",
            prices="anthropic",
        ),
        Provider(
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "https://ai.google.dev/gemini-api/docs/openai",
            ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            model="gemini-3.1-flash-lite",
            batch="0.5",
            batch_docs="https://ai.google.dev/gemini-api/docs/batch-api",
            prices="google",
        ),
        Provider(
            "groq",
            "https://api.groq.com/openai/v1",
            "https://console.groq.com/docs/openai",
            ("GROQ_API_KEY",),
            model="openai/gpt-oss-20b",
            token_limit="max_completion_tokens",
            batch="0.75",
            batch_docs="https://console.groq.com/docs/batch",
            batch_path="/v1/chat/completions",
            prices="groq",
        ),
        Provider(
            "mistral",
            "https://api.mistral.ai/v1",
            "https://docs.mistral.ai/api",
            ("MISTRAL_API_KEY",),
            model="mistral-small-latest",
            batch="0.5",
            batch_docs="https://docs.mistral.ai/capabilities/batch",
            prices="mistral",
        ),
        Provider(
            "deepseek",
            "https://api.deepseek.com",
            "https://api-docs.deepseek.com",
            ("DEEPSEEK_API_KEY",),
            model="deepseek-v4-flash",
            prices="deepseek",
        ),
        Provider(
            "xai",
            "https://api.x.ai/v1",
            "https://docs.x.ai/docs/api-reference",
            ("XAI_API_KEY",),
            token_limit="max_completion_tokens",
            batch="0.8",
            batch_docs="https://docs.x.ai/docs/guides/batch-api",
            prices="x-ai",
        ),
        Provider(
            "together",
            "https://api.together.xyz/v1",
            "https://docs.together.ai/docs/inference/openai-compatibility",
            ("TOGETHER_API_KEY",),
            model="openai/gpt-oss-120b",
            batch="0.5",
            batch_docs="https://docs.together.ai/docs/batch-inference",
            prices="together",
        ),
        Provider(
            "ollama",
            "http://localhost:11434/v1",
            "https://docs.ollama.com/api/openai-compatibility",
        ),
        Provider(
            "lmstudio",
            "http://localhost:1234/v1",
            "https://lmstudio.ai/docs/developer/openai-compat",
        ),
        Provider(
            "llama.cpp",
            "http://localhost:8080/v1",
            "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
        ),
    )
}
CLINE = PROVIDERS["cline"]
# The variables of which each, with a key in it, means a provider by itself.
VARIABLES = [one.variables[0] for one in PROVIDERS.values() if one.variables and one.base_url]


def of_url(base_url: str) -> Provider | None:
    """Return the provider whose servers `base_url` names; None if it is none of the table.

    A server on this machine is none: its port does not say what it is.
    """
    origin = url.origin(base_url)
    if origin[1].endswith(_AZURE_HOSTS):
        return PROVIDERS["azure"]
    hosted = (p for p in PROVIDERS.values() if p.base_url and not p.is_local)
    return next((p for p in hosted if url.origin(p.base_url or "") == origin), None)


def batch_share(base_url: str) -> Decimal:
    """Return the part of the price that a batch costs at `base_url`.

    It is 1 where the table does not say that the server has batches as `map --batch` sends them.
    """
    known = of_url(base_url)
    return Decimal(known.batch) if known and known.batch and known.batch_path else Decimal(1)


def chosen(name: str | None, base_url: str | None) -> Provider | None:
    """Return the provider that `base_url` names, else the one that was chosen by its `name`."""
    known = of_url(base_url) if base_url else None
    return known or (PROVIDERS[name] if name else None)


def owners(base_url: str, variables: Mapping[str, str]) -> Iterator[Provider]:
    """Yield the providers whose own key may be sent to `base_url`, as `variables` are set."""
    for provider in PROVIDERS.values():
        try:
            address = provider.address(variables)
        except ConfigError:
            continue  # a key without a valid address belongs nowhere
        if address and provider.variables and url.origin(address) == url.origin(base_url):
            yield provider


def with_keys(variables: Mapping[str, str]) -> list[Provider]:
    """Return the providers that can be asked because the variable for their key is set."""
    return [
        provider
        for provider in PROVIDERS.values()
        if provider.key_variable(variables)
        and (provider.base_url or variables.get(provider.address_variable or ""))
    ]


def request_names(provider: Provider | None) -> FieldNames:
    """Return how the provider calls what has several names; None is for an unknown endpoint."""
    return FieldNames(provider.token_limit, provider.reasoning) if provider else FieldNames()
