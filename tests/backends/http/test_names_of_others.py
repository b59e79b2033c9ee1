"""Names of other libraries that are not documented: a release that renames one fails here."""

import http.client
import io
import re
import socket

from urllib3 import PoolManager
from urllib3.connection import HTTPConnection

from tests.support.program import ROOT


def test_http_client_has_what_a_response_leans_on() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        response = http.client.HTTPResponse(here)
        assert isinstance(response.fp, io.BufferedReader)
        response.begin()
        assert (response.chunked, response.length) == (False, 2)
        response.close()


def test_connections_ask_for_their_response_class_and_keep_their_socket() -> None:
    assert HTTPConnection.response_class is http.client.HTTPResponse
    connection = HTTPConnection("127.0.0.1", 1)
    assert connection.sock is None
    assert connection.proxy is None
    assert {"http", "https"} == set(PoolManager().pool_classes_by_scheme)


def test_no_private_name_of_another_library_is_used() -> None:
    """Ours begin with an underscore behind `self` or a name of the same file."""
    foreign = re.compile(r"\b(?:response|connection|answer|pool|sock|requests|urllib3)\._\w+")
    for path in (ROOT / "llmcli" / "backends" / "http").rglob("*.py"):
        found = foreign.findall(path.read_text())
        assert not found, (path, found)
