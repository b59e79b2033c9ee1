"""The proxy of a request: which variable names it, and which hosts NO_PROXY keeps from it."""

import os
import sys
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from llmcli.config.url import is_loopback, origin

_Address = IPv4Address | IPv6Address


def proxy_for(url: str, variables: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy for a request to `url`; None if it is to go without one.

    `variables` are environment variables: `https_proxy` or `http_proxy` by the scheme of `url`,
    else `all_proxy`, and `no_proxy`, each in lower or upper case; lower case wins. A request to
    this machine, and the key in it, never leaves it for a proxy.
    """
    if is_loopback(url):
        return None
    scheme, host, port = origin(url)
    proxies = _proxies(variables)
    proxy = proxies.get(scheme) or proxies.get("all")
    excluded = variables.get("no_proxy") or variables.get("NO_PROXY") or ""
    if not proxy or _is_excluded(host, str(port), excluded):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _proxies(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy of each scheme, and that of `all`, as urllib.request reads them."""
    given = [(name, value) for name, value in variables.items() if name[-6:].lower() == "_proxy"]
    proxies = {name[:-6].lower(): value for name, value in given if value}
    if "REQUEST_METHOD" in variables:
        proxies.pop("http", None)  # in a CGI script HTTP_PROXY is a header of the request: httpoxy
    proxies |= {name[:-6]: value for name, value in given if name == name.lower()}
    return proxies


def _is_excluded(host: str, port: str, excluded: str) -> bool:
    """Return True if the list `excluded` has `host` and `port`, as golang.org/x/net/http/httpproxy.

    Its items, divided by commas, are `*`; an address or a network in CIDR form; `example.org`,
    which stands for the names below it as well; `.example.org` and `*.example.org`, which stand
    only for those. An address and a name may be followed by a port.
    """
    host = _ascii(host)
    address = _address(host)
    return any(
        item == "*" or _matches(item, host, port, address) for item in _items(excluded.lower())
    )


def _items(excluded: str) -> Iterator[str]:
    return (item for item in map(str.strip, excluded.split(",")) if item)


def _matches(item: str, host: str, port: str, address: _Address | None) -> bool:
    if "/" in item:
        try:
            network = ip_network(item, strict=False)
        except ValueError:
            return False
        return address is not None and address in network
    name, at = _split(item)
    if not name or at not in ("", port):
        return False
    if address or _address(name):
        return address == _address(name)
    name = _ascii(name.removeprefix("*"))
    return host.endswith(name) if name.startswith(".") else f".{host}".endswith(f".{name}")


def _split(item: str) -> tuple[str, str]:
    """Return the host and the port of `host:port`, `[address]:port`, or a host alone."""
    if item.startswith("["):
        name, _, port = item[1:].partition("]")
        return name, port.removeprefix(":")
    if item.count(":") != 1:
        return item, ""
    name, _, port = item.partition(":")
    return name, port


def _address(host: str) -> _Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    # ::ffff:192.0.2.1 is 192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address


def _ascii(name: str) -> str:
    """Return `name` in the form that DNS has it in: RFC 3490, `xn--…`."""
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def of_process(url: str) -> str | None:
    """Return the proxy for `url` by the variables of this process.

    On macOS the system's settings count where no variable names a proxy.
    """
    if sys.platform == "darwin" and not _proxies(os.environ).keys() - {"no"}:
        from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  # macOS only

        if proxy_bypass(urlsplit(url).hostname or ""):
            return None
        return proxy_for(url, {f"{name}_proxy": proxy for name, proxy in getproxies().items()})
    return proxy_for(url, os.environ)


def proxy_address(proxy: str) -> str:
    """Return host and port of a proxy's URL for a message, without user and password.

    A password may hold characters that end the host of a well-formed URL, so the last `@` decides.
    """
    address = proxy.rpartition("@")[2] if "@" in proxy else proxy.partition("://")[2]
    return address.partition("/")[0][:80]
