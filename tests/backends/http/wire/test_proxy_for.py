"""The proxy of a URL by the variables of the environment, and NO_PROXY as Go reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcli.backends.http.wire.proxy import proxy_address, proxy_for

PROXY = "http://user:hunter2@proxy.corp:3128"


@pytest.mark.parametrize(
    ("excluded", "url", "direct"),
    [
        # the table of golang.org/x/net/http/httpproxy, UseProxyTests
        ("example.com", "http://example.com", True),
        ("example.com", "http://foo.example.com", True),
        ("example.com", "http://notexample.com", False),
        ("example.com", "http://example.com.evil.org", False),
        (".example.com", "http://example.com", False),
        (".example.com", "http://foo.example.com", True),
        ("*.example.com", "http://foo.example.com", True),
        ("*.example.com", "http://a.b.example.com", True),
        ("*.example.com", "http://example.com", False),
        ("*.example.com", "http://notexample.com", False),
        ("EXAMPLE.com", "http://Foo.Example.COM", True),
        ("example.com:443", "https://example.com", True),
        ("example.com:443", "http://example.com", False),
        ("example.com:8080", "https://foo.example.com:8080", True),
        (".example.com:8080", "https://foo.example.com:8080", True),
        ("*.example.com:8080", "https://foo.example.com:8081", False),
        ("example.com:", "http://example.com", True),
        (":80", "http://example.com", False),
        ("192.168.1.1", "http://192.168.1.1", True),
        ("192.168.1.1", "http://192.168.1.10", False),
        (".1.1", "http://192.168.1.1", False),
        ("192.168.1.1:81", "http://192.168.1.1:81", True),
        ("192.168.1.1:81", "http://192.168.1.1", False),
        ("10.0.0.0/8", "http://10.200.3.4:9", True),
        ("10.0.0.5/8", "http://10.200.3.4", True),
        ("10.0.0.0/8", "http://11.0.0.1", False),
        ("10.0.0.0/8", "http://10.example.com", False),
        ("10.0.0.0/99", "http://10.0.0.1", False),
        ("2001:db8::/32", "http://[2001:db8:1::1]", True),
        ("2001:db8::52:0:1", "http://[2001:db8::52:0:1]:80", True),
        ("[2001:db8::52:0:1]:443", "https://[2001:db8::52:0:1]", True),
        ("[2001:db8::52:0:1]:443", "http://[2001:db8::52:0:1]", False),
        ("10.0.0.0/8", "http://[::ffff:10.1.2.3]", True),
        ("*", "http://anything.org", True),
        ("foo, *", "http://anything.org", True),
        ("*:80", "http://anything.org", False),
        ("foo.org , .example.com,", "http://a.example.com", True),
        ("foo.org", "http://example.com", False),
        ("", "http://example.com", False),
        (",", "http://example.com", False),
        (".", "http://example.com", False),
        ("bücher.example", "http://xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "http://bücher.example", True),
        # this machine
        ("", "http://localhost:1234", True),
        ("", "http://127.3.2.1", True),
        ("", "http://[::1]:80", True),
    ],
)
def test_no_proxy(excluded: str, url: str, direct: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        assert (proxy_for(url, {"ALL_PROXY": PROXY, name: excluded}) is None) == direct


@pytest.mark.parametrize(
    ("variables", "plain", "secure"),
    [
        ({"HTTP_PROXY": "http://a"}, "http://a", None),
        ({"https_proxy": "http://b"}, None, "http://b"),
        ({"ALL_PROXY": "socks5h://c", "HTTPS_PROXY": "http://b"}, "socks5h://c", "http://b"),
        ({"HTTP_PROXY": "http://a", "http_proxy": "http://l"}, "http://l", None),
        ({"HTTP_PROXY": "http://a", "http_proxy": ""}, None, None),
        ({"HTTP_PROXY": "http://a", "http_proxy": "", "ALL_PROXY": "http://c"}, "http://c",
         "http://c"),
        ({"HTTP_PROXY": "proxy:3128"}, "http://proxy:3128", None),
        ({"HTTP_PROXY": "http://a", "REQUEST_METHOD": "POST"}, None, None),
        ({"http_proxy": "http://a", "REQUEST_METHOD": "POST"}, "http://a", None),
        ({"NO_PROXY": "x", "no_proxy": "", "HTTP_PROXY": ""}, None, None),
        ({}, None, None),
    ],
)  # fmt: skip
def test_variables(variables: dict[str, str], plain: str | None, secure: str | None) -> None:
    assert proxy_for("http://far.invalid/v1", variables) == plain
    assert proxy_for("https://far.invalid/v1", variables) == secure


@pytest.mark.parametrize(
    ("proxy", "address"),
    [
        (PROXY, "proxy.corp:3128"),
        ("http://user:pr0#x/y@SECRET@127.0.0.1:1/path", "127.0.0.1:1"),
        ("socks5h://[::1]:1080", "[::1]:1080"),
        ("http://[::", "[::"),
    ],
)
def test_a_proxy_is_shown_without_its_password(proxy: str, address: str) -> None:
    assert proxy_address(proxy) == address


@given(st.text(":/.*[],@x1é ", max_size=12), st.text(":/.*[],@x1é ", max_size=12))
def test_whatever_stands_in_the_variables(excluded: str, proxy: str) -> None:
    proxy_for("http://far.invalid", {"NO_PROXY": excluded, "HTTP_PROXY": proxy})
    proxy_address(proxy)
