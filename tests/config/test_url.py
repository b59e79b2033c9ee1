"""Base URLs: their query, and what is shown and filed of it."""

import pytest

from llmcli.config import url

BASE = "https://host.example/v1"


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        (f"{BASE}/?a=b", f"{BASE}?a=b"),
        (f"{BASE}/chat/completions?a=b&c=d/e", f"{BASE}?a=b&c=d/e"),
        (f"{BASE}?", BASE),
        (f" {BASE}/ ", BASE),
    ],
)
def test_a_query_stays_behind_the_path(given: str, checked: str) -> None:
    assert url.check_base_url(given) == checked
    base, mark, query = checked.partition("?")
    assert url.join(checked, "/models") == f"{base}/models{mark}{query}"


def test_a_query_is_masked_where_it_is_shown_or_filed() -> None:
    one, other = f"{BASE}?key=abcdefgh", f"{BASE}?key=abcdefgi"
    for of in (url.shown, url.filed, url.identity, url.without_secrets):
        assert "abcdefg" not in of(one)
    assert url.filed(one) != url.filed(other)
    assert url.filed(BASE) == url.shown(BASE) == BASE
    assert url.without_secrets(f"{BASE}?api-version=1&key=x") == f"{BASE}?api-version=1&key=***"
    assert url.secrets_in(f"{BASE}?api-version=1&key=a%20b&n=") == ["a%20b", "a b"]


def test_what_names_an_endpoint() -> None:
    assert url.identity("https://HOST.example:443/v1") == url.identity(BASE)
    others = ["http://host.example/v1", f"{BASE}?a=b", "https://host.example/v2",
              "https://host.example:8443/v1", "https://other.example/v1"]  # fmt: skip
    assert len({url.identity(one) for one in [BASE, *others]}) == 6
