"""The translation of exceptions of requests and urllib3 into ours."""

from typing import Any

import requests
import urllib3.exceptions as urllib3

from llmcli.backends.http.errors import Row, causes, timed_out_connecting, timed_out_waiting
from llmcli.errors import HOW_TO_INSTALL, AuthError, ConfigError, LlmcliError, NetworkError


def _proxy(cause: Any, target: str, idle: float) -> LlmcliError:
    text = " ".join(str(c) for c in causes(cause))
    if "Tunnel connection failed: 407" in text:
        return AuthError(
            "the proxy asks for a password (407)",
            hint="set or correct the user and password in HTTPS_PROXY",
        )
    if "timed out" in text:
        return timed_out_connecting(cause, f"{target} through the proxy", idle)
    return NetworkError(f"the proxy for {target} cannot be reached", transient=True,
                        hint="check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY")  # fmt: skip


def _bad_setting(cause: Any, target: str, _idle: float) -> LlmcliError:
    if "SOCKS" in str(cause):
        return ConfigError("a SOCKS proxy needs PySocks", hint=HOW_TO_INSTALL.format("socks"))
    # The text of the cause is not shown: it quotes the proxy's URL, which may have a password.
    return ConfigError(
        f"cannot ask {target}: the host or the proxy's URL is not valid",
        hint="check base_url, HTTPS_PROXY and HTTP_PROXY",
    )


# The rows that stand before those of `errors`.
ROWS: tuple[Row, ...] = (
    ((urllib3.ProxySchemeUnknown, requests.exceptions.InvalidProxyURL), _bad_setting),
    ((requests.exceptions.ProxyError, urllib3.ProxyError), _proxy),
    # Not urllib3's ConnectTimeoutError: its subclass NewConnectionError means a refused connection.
    ((requests.exceptions.ConnectTimeout,), timed_out_connecting),
    ((urllib3.ReadTimeoutError, requests.exceptions.ReadTimeout), timed_out_waiting),
    ((requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL), _bad_setting),
    ((requests.exceptions.InvalidHeader, urllib3.LocationParseError, UnicodeError), _bad_setting),
)
