"""Name resolution is bounded, and an address needs none."""

import socket
import threading
from typing import Any

import pytest

from llmcli.backends.http.wire.names import addresses
from llmcli.errors import TimedOut


def patient() -> float:
    return 60


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The names that are looked up; `silent.invalid` is never answered."""
    names: list[bytes] = []
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, **options: Any) -> Any:
        if options["flags"] & socket.AI_NUMERICHOST:
            return look_up(host, port, **options)
        names.append(host)
        if host == b"silent.invalid":
            threading.Event().wait()
        if host == b"unknown.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up("127.0.0.1", port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1")])
def test_an_address(asked: list[bytes], host: str, address: str) -> None:
    assert [found[4][:2] for found in addresses(host, 80, patient)] == [(address, 80)]
    assert asked == []


def test_a_name(asked: list[bytes]) -> None:
    assert [found[4] for found in addresses("far.invalid", 80, patient)] == [("127.0.0.1", 80)]
    assert [found[4] for found in addresses("bücher.invalid", 8, patient)] == [("127.0.0.1", 8)]
    assert asked == [b"far.invalid", b"xn--bcher-kva.invalid"]


def test_a_name_that_is_unknown(asked: list[bytes]) -> None:
    with pytest.raises(socket.gaierror):
        addresses("unknown.invalid", 80, patient)


def test_a_server_of_names_that_is_silent(asked: list[bytes]) -> None:
    """In any thread, not only where a signal arrives."""
    left = iter([0.01])

    def patience() -> float:
        for seconds in left:
            return seconds
        raise TimedOut("no answer from DNS")

    ended: list[Exception] = []

    def work() -> None:
        try:
            addresses("silent.invalid", 80, patience)
        except TimedOut as error:
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert [str(error) for error in ended] == ["no answer from DNS"]


def test_what_is_no_name() -> None:
    with pytest.raises(UnicodeError):
        addresses("é" * 100, 80, patient)
