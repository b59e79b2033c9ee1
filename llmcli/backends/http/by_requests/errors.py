"""The translation of exceptions of requests and urllib3 into ours."""

from typing import Any

import requests
import urllib3.exceptions as urllib3

from llmcli.backends.http.errors import Row, timed_out_connecting, timed_out_waiting
from llmcli.backends.http.wire import proxy_errors
from llmcli.backends.http.wire.proxy import proxy_address
from llmcli.errors import ConfigError, LlmcliError
from llmcli.system.extras import how_to_install


def of_proxy(chain: list[BaseException], proxy: str, target: str) -> LlmcliError | None:
    """Return the error of the proxy; None if it is that of the endpoint, or of a setting.

    `chain` is an exception with all its causes, `proxy` the URL of the proxy, and `target` the
    endpoint's host and port.
    """
    if refused := proxy_errors.refusal(chain, proxy, target):
        return refused
    for cause in chain:
        if isinstance(cause, (urllib3.ProxySchemeUnknown, requests.exceptions.InvalidProxyURL)):
            return None
        # A CONNECT that is not answered: what is timed is a request to the proxy.
        silent = isinstance(cause, urllib3.ReadTimeoutError) and _is_to(cause, proxy)
        if silent or isinstance(cause, (requests.exceptions.ProxyError, urllib3.ProxyError)):
            return proxy_errors.unreachable(chain, proxy, target)
    return None


def _is_to(cause: urllib3.ReadTimeoutError, proxy: str) -> bool:
    return proxy_address(cause.url or "") == proxy_address(proxy)


def _bad_setting(cause: Any, target: str, _idle: float) -> LlmcliError:
    if "SOCKS" in str(cause):
        return ConfigError("a SOCKS proxy needs PySocks", hint=how_to_install("socks"))
    # The text of the cause is not shown: it quotes the proxy's URL, which may have a password.
    return ConfigError(
        f"cannot ask {target}: the host or the proxy's URL is not valid",
        hint="check base_url, HTTPS_PROXY and HTTP_PROXY",
    )


# The rows that stand before those of `errors`.
ROWS: tuple[Row, ...] = (
    ((urllib3.ProxySchemeUnknown, requests.exceptions.InvalidProxyURL), _bad_setting),
    # Not urllib3's ConnectTimeoutError: its subclass NewConnectionError means a refused connection.
    ((requests.exceptions.ConnectTimeout,), timed_out_connecting),
    ((urllib3.ReadTimeoutError, requests.exceptions.ReadTimeout), timed_out_waiting),
    ((requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL), _bad_setting),
    ((requests.exceptions.InvalidHeader, urllib3.LocationParseError, UnicodeError), _bad_setting),
)
