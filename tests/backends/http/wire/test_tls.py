"""TLS: which authorities are trusted, whose names count, and certificates of the client."""

import shutil
import ssl
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import trustme

from llmcli.backends.http.wire import tls
from llmcli.errors import ConfigError
from tests.support.endpoint import answer, serving
from tests.support.program import Run, one_line

NOWHERE = "/dev/null/missing"


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority


@pytest.fixture
def hashed(authority: trustme.CA, tmp_path: Path) -> Path:
    """A directory in which OpenSSL finds the authority."""
    command = ["openssl", "x509", "-noout", "-hash", "-in", str(tmp_path / "ca.pem")]
    if not shutil.which("openssl"):
        pytest.skip("no openssl, which names a certificate by its hash")
    name = subprocess.run(command, capture_output=True, check=True).stdout.decode().strip()
    (tmp_path / "hashed").mkdir()
    shutil.copy(tmp_path / "ca.pem", tmp_path / "hashed" / f"{name}.0")
    return tmp_path / "hashed"


def paths(bundle: object = NOWHERE, directory: object = NOWHERE) -> ssl.DefaultVerifyPaths:
    own = ("SSL_CERT_FILE", str(bundle), "SSL_CERT_DIR", str(directory))
    return ssl.DefaultVerifyPaths("", "", *own)


def test_the_order_of_stores(tmp_path: Path) -> None:
    bundles = [tmp_path / f"{name}.pem" for name in "abcde"]
    for bundle in bundles:
        bundle.write_text("a certificate")
    directory = tmp_path / "directory"
    directory.mkdir()
    (directory / "0123abcd.0").write_text("a certificate")
    of_setting, of_requests, of_curl, of_openssl, of_system = map(str, bundles)
    variables = {"REQUESTS_CA_BUNDLE": of_requests, "CURL_CA_BUNDLE": of_curl,
                 "SSL_CERT_FILE": of_openssl, "SSL_CERT_DIR": str(directory)}  # fmt: skip
    system = paths(of_system, directory)
    assert tls.store(of_setting, variables, system) == tls.Store("ca_file", of_setting)
    for name, path in (("REQUESTS_CA_BUNDLE", of_requests), ("CURL_CA_BUNDLE", of_curl)):
        assert tls.store(None, variables, system) == tls.Store(name, path)
        variables[name] = ""
    both = tls.Store("SSL_CERT_FILE", of_openssl, str(directory))
    assert tls.store(None, variables, system) == both
    del variables["SSL_CERT_FILE"]
    alone = tls.Store("SSL_CERT_DIR", None, str(directory))
    assert tls.store(None, variables, system) == alone
    del variables["SSL_CERT_DIR"]
    assert tls.store(None, variables, system) == tls.Store(None, None, str(directory))


def test_the_stores_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that is not hashed, or whose links lead nowhere, is none; certifi is the last."""
    monkeypatch.setattr(tls, "_DIRECTORIES", ())
    monkeypatch.setattr(tls, "_BUNDLES", ())
    (tmp_path / "0123abcd.0").symlink_to(NOWHERE)
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("a certificate")
    assert tls.store(None, {}, paths(bundle, tmp_path)) == tls.Store(None, str(bundle))
    bundle.write_text("")
    found = tls.store(None, {}, paths(bundle, tmp_path))
    assert found.bundle and Path(found.bundle).name == "cacert.pem"


def test_what_is_named_and_missing(tmp_path: Path) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        with pytest.raises(ConfigError, match=f"/missing does not exist; check {name}"):
            tls.store(None, {name: NOWHERE}, paths())
    with pytest.raises(ConfigError, match="/missing does not exist; check ca_file"):
        tls.store(NOWHERE, {}, paths())
    with pytest.raises(ConfigError, match="no certificate under the name of its hash"):
        tls.store(str(tmp_path), {}, paths())
    (tmp_path / "0123abcd.0").write_text("a certificate")
    some = f"{NOWHERE}:{tmp_path}"
    assert tls.store(None, {"SSL_CERT_DIR": some}, paths()).directories == some


def test_one_context_a_run(authority: trustme.CA, tmp_path: Path) -> None:
    bundle = str(tmp_path / "ca.pem")
    assert tls.context(bundle) is tls.context(bundle)
    assert tls.context(bundle).verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    "name", ["LLMCLI_CA_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]
)
def test_a_bundle_by_a_variable(
    run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path, name: str
) -> None:
    with serving(answer("ok"), _context(authority)) as server:
        arguments = ("ask", "-q", "hi", "-m", "m", "--base-url", server.base_url)
        assert run(*arguments).returncode == 76
        env[name] = str(tmp_path / "ca.pem")
        assert run(*arguments).stdout == b"ok\n"


@pytest.mark.parametrize("name", ["LLMCLI_CA_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR"])
def test_a_directory_by_a_variable(
    run: Run, authority: trustme.CA, env: dict[str, str], hashed: Path, name: str
) -> None:
    env[name] = str(hashed)
    with serving(answer("ok"), _context(authority)) as server:
        done = run("ask", "-q", "hi", "-m", "m", "--base-url", server.base_url)
    assert done.stdout == b"ok\n", done.stderr


def test_a_relative_path_of_the_configuration(
    run: Run, authority: trustme.CA, config: Callable[[str], Path], home: Path, tmp_path: Path
) -> None:
    path = config('ca_file = "ca.pem"')
    shutil.copy(tmp_path / "ca.pem", path.parent)
    (tmp_path / "ca.pem").write_text("not this one")
    with serving(answer("ok"), _context(authority)) as server:
        arguments = ("ask", "-q", "hi", "-m", "m", "--base-url", server.base_url)
        assert run(*arguments).stdout == b"ok\n"
        path.rename(path.parent / "other")
        shutil.copy(path.parent / "ca.pem", home)
        config('ca_file = "~/ca.pem"')
        assert run(*arguments).stdout == b"ok\n"


def _context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(made)
    return made


def _common_name_only(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert(common_name="localhost")


def test_a_common_name_is_no_name(
    run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path
) -> None:
    """As a name it counted until RFC 2818 was replaced."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _common_name_only(authority).configure_cert(made)
    env["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
    with serving(answer("ok"), made) as server:
        url = server.base_url.replace("127.0.0.1", "localhost")
        done = run("ask", "-q", "hi", "-m", "m", "--base-url", url)
    assert done.returncode == 76
    assert "not valid for 'localhost'" in one_line(done.stderr)
    assert "subjectAltName" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("begin", "end", "says"),
    [
        ("2020-01-02", "2024-05-06", "certificate has expired, it expired on 2024-05-06 07:08 UTC"),
        ("1999-01-02", "2001-05-06", "certificate has expired, it expired on 2001-05-06 07:08 UTC"),
        ("2088-01-02", "2089-05-06", "is not yet valid, it is valid from 2088-01-02 07:08 UTC on"),
    ],
)
@pytest.mark.parametrize("command", [("ask", "-q", "hi"), ("map", "-q", "{}")])
@pytest.mark.parametrize("short", ["1", "0"])
def test_a_certificate_out_of_its_time(
    run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path,
    begin: str, end: str, says: str, command: tuple[str, ...], short: str,
) -> None:  # fmt: skip
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    first, last = (datetime.fromisoformat(f"{day}T07:08:09+00:00") for day in (begin, end))
    authority.issue_cert("127.0.0.1", not_before=first, not_after=last).configure_cert(made)
    env |= {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "LLMCLI_SHORT": short}
    with serving(answer("ok"), made) as server:
        done = run(*command, "-m", "m", "--base-url", server.base_url, input=b"x\n")
        assert not server.requests
    assert done.returncode == 76, done.stderr
    assert says in one_line(done.stderr) and "check the clock" in one_line(done.stderr)


def test_a_server_that_is_trusted_by_its_own_certificate(
    run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path
) -> None:
    made, leaf = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), authority.issue_cert("127.0.0.1")
    leaf.configure_cert(made)
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "leaf.pem"))
    env["LLMCLI_CA_FILE"] = str(tmp_path / "leaf.pem")
    with serving(answer("ok"), made) as server:
        done = run("ask", "-q", "hi", "-m", "m", "--base-url", server.base_url)
    assert done.stdout == b"ok\n", done.stderr


def _demanding(authority: trustme.CA, version: ssl.TLSVersion) -> ssl.SSLContext:
    made = _context(authority)
    authority.configure_trust(made)
    made.verify_mode = ssl.CERT_REQUIRED
    made.minimum_version = made.maximum_version = version
    return made


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("command", [("ask", "-q", "hi"), ("map", "-q", "{}")])
@pytest.mark.parametrize("size", [1, 5_000_000])
def test_a_server_that_demands_a_certificate(
    run: Run, authority: trustme.CA, env: dict[str, str], tmp_path: Path,
    version: ssl.TLSVersion, command: tuple[str, ...], size: int,
) -> None:  # fmt: skip
    env["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
    authority.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "me.pem")
    )
    trustme.CA().issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "stranger.pem")
    )
    with serving(answer("ok"), _demanding(authority, version)) as server:
        arguments = (*command, "-m", "m", "--base-url", server.base_url, "--retries", "0")
        failed = 76  # for `map` as well: it would be the same for each record
        done = run(*arguments, input=b"x" * size)
        assert done.returncode == failed, done.stderr
        assert b"certificate" in done.stderr and b"client_cert" in done.stderr
        done = run(*arguments, input=b"x" * size, env={**env, "LLMCLI_CLIENT_CERT": "stranger.pem"})
        assert done.returncode == failed, done.stderr
        assert b"refuses the client certificate: unknown ca" in done.stderr
        assert server.requests == []
        done = run(*arguments, input=b"x" * size, env={**env, "LLMCLI_CLIENT_CERT": "me.pem"})
        assert done.stdout == b"ok\n", done.stderr


def test_a_certificate_and_its_key(
    run: Run, authority: trustme.CA, config: Callable[[str], Path], env: dict[str, str],
    tmp_path: Path,
) -> None:  # fmt: skip
    env["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
    folder = config("").parent
    leaf = authority.issue_cert("me@example.org")
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(folder / "me.pem"))
    other = authority.issue_cert("other@example.org")
    other.private_key_pem.write_to_path(str(folder / "other.pem"))
    (folder / "text.pem").write_text("hello")
    command = ["openssl", "rsa", "-aes128", "-passout", "pass:SECRET", "-in", "key.pem"]
    if shutil.which("openssl") and b"RSA" in leaf.private_key_pem.bytes():
        subprocess.run([*command, "-out", "locked.pem"], cwd=folder, check=True)
    with serving(answer("ok"), _demanding(authority, ssl.TLSVersion.TLSv1_3)) as server:
        arguments = ("ask", "-q", "hi", "-m", "m", "--base-url", server.base_url)
        config('client_cert = "me.pem"\nclient_key = "key.pem"')
        assert run(*arguments).stdout == b"ok\n"
        for settings, says in (
            ('client_cert = "me.pem"', "cannot use"),
            ('client_key = "key.pem"', "client_cert"),
            ('client_cert = "me.pem"\nclient_key = "other.pem"', "mismatch"),
            ('client_cert = "missing.pem"', "cannot read"),
            ('client_cert = "me.pem"\nclient_key = "missing.pem"', "cannot read"),
            ('client_cert = "text.pem"', "cannot use"),
            *([('client_cert = "me.pem"\nclient_key = "locked.pem"', "is encrypted")]
              if (folder / "locked.pem").exists() else []),
        ):  # fmt: skip
            config(settings)
            done = run(*arguments)
            assert done.returncode == 78, done.stderr
            assert says in one_line(done.stderr)
        assert len(server.requests) == 1
