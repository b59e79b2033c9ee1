"""The table of providers: complete, consistent, and shown as it is."""

import pytest

from llmcli.config import providers, url
from llmcli.config.providers import PROVIDERS

NAMES = "cline openai azure openrouter anthropic gemini groq mistral deepseek xai together"
LOCAL = "ollama lmstudio llama.cpp"


def test_the_table_has_every_provider() -> None:
    assert list(PROVIDERS) == [*NAMES.split(), *LOCAL.split()]
    origins = [url.origin(one.base_url) for one in PROVIDERS.values() if one.base_url]
    assert len(set(origins)) == len(origins)
    variables = [name for one in PROVIDERS.values() for name in one.variables]
    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_each_row_makes_sense(provider: providers.Provider) -> None:
    if provider.base_url:
        assert url.check_base_url(provider.base_url) == provider.base_url
    assert bool(provider.variables) != provider.is_local
    assert provider.is_local or str(provider.base_url or "https:").startswith("https:")
    assert provider.docs.startswith("https://")
    assert provider.token_limit in (None, "max_tokens", "max_completion_tokens")


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://API.openai.com:443/other", "openai"),
        ("https://mine.openai.azure.com/openai/deployments/d?api-version=1", "azure"),
        ("http://api.openai.com/v1", None),
        ("https://api.openai.com.evil.example/v1", None),
        ("https://api.openai.com:8443/v1", None),
        ("https://evilopenai.azure.com/v1", None),
        ("http://localhost:11434/v1", None),
        ("not a URL", None),
        ("http://[", None),
    ],
)
def test_the_provider_of_a_url(base_url: str, name: str | None) -> None:
    found = providers.of_url(base_url)
    assert (found.name if found else None) == name
