"""Connections through a SOCKS proxy, which urllib3 makes with the help of PySocks."""

from urllib3.contrib.socks import (
    SOCKSConnection,
    SOCKSHTTPConnectionPool,
    SOCKSHTTPSConnection,
    SOCKSHTTPSConnectionPool,
)

from llmcli.backends.http.by_requests.connections import EndpointConnection


class _Plain(EndpointConnection, SOCKSConnection):
    through_socks = True


class _Secure(EndpointConnection, SOCKSHTTPSConnection):
    through_socks = True


class _PlainPool(SOCKSHTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(SOCKSHTTPSConnectionPool):
    ConnectionCls = _Secure


# For the attribute `pool_classes_by_scheme` of urllib3's SOCKSProxyManager.
POOLS = {"http": _PlainPool, "https": _SecurePool}
