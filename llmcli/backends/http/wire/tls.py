"""TLS: which authorities are trusted, and which certificate is shown to a server that asks for one.

Loaded by OpenSSL on a quiet machine, a directory of certificates that is hashed takes 0.1 ms, as
each is read when a server is verified; a bundle, that of certifi too, takes 13 to 16 ms.
"""

import os
import re
import ssl
from collections.abc import Mapping
from functools import cache

from llmcli.errors import ConfigError
from llmcli.system.dataclass import dataclass
from llmcli.system.files.regular import check_regular_at

# Bundles and directories of the systems that OpenSSL's own paths may not lead to, as when Python
# brings an OpenSSL of its own; they are those of Go's crypto/x509.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Gentoo, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL 6
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # CentOS, RHEL 7
    "/etc/ssl/cert.pem",  # Alpine, macOS, FreeBSD
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD
)
_DIRECTORIES = ("/etc/ssl/certs", "/etc/pki/tls/certs")
# The name of a certificate in a directory, by the hash of its subject: see openssl-rehash(1).
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")


@dataclass(frozen=True)
class Store:
    """Certificates of authorities: the path of a bundle, of directories, or of both.

    `source` is the setting or variable that names them, or None. `directories` are divided by
    colons, as OpenSSL has them.
    """

    source: str | None
    bundle: str | None = None
    directories: str | None = None


@cache
def context(
    ca_file: str | None = None, client_cert: str | None = None, client_key: str | None = None
) -> ssl.SSLContext:
    """Return the TLS context of the run, which verifies the server; it is made only once.

    `ca_file` is the bundle or directory of the setting of that name: see `store`. `client_cert` is
    the path of a certificate for servers that ask for one, `client_key` that of its key, unless
    both are in one file. Raises ConfigError for what does not exist or cannot be read.
    """
    chosen = store(ca_file, os.environ, ssl.get_default_verify_paths())
    try:
        made = ssl.create_default_context(cafile=chosen.bundle, capath=chosen.directories)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror
        problem = f"cannot read CA certificates from {chosen.bundle}: {reason}"
        raise ConfigError(problem, hint=f"check {chosen.source or 'ca_file'}") from None
    # A name counts only as subjectAltName, never as common name (RFC 9110, section 4.3.4).
    made.hostname_checks_common_name = False
    # Whoever is in the bundle is trusted, be it an authority between or the server itself.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # As urllib3 sets it on connecting; http.client leaves it to the caller.
    made.set_alpn_protocols(["http/1.1"])
    if client_cert:
        _load_own(made, client_cert, client_key)
    return made


def store(
    ca_file: str | None, variables: Mapping[str, str], paths: ssl.DefaultVerifyPaths
) -> Store:
    """Return the first of these that is named or exists.

    `ca_file`, the bundle or directory of REQUESTS_CA_BUNDLE, that of CURL_CA_BUNDLE, SSL_CERT_FILE
    and SSL_CERT_DIR together, the system's directory if it is hashed, its bundle, certifi's bundle.
    `paths` are those that OpenSSL was built with. Raises ConfigError if what is named is missing.
    """
    named = {"ca_file": ca_file}
    named |= {name: variables.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}
    for source, path in named.items():
        if path and os.path.isdir(path):
            return Store(source, directories=_hashed(path, source))
        if path:
            return Store(source, _existing(path, source))
    bundle, directories = variables.get("SSL_CERT_FILE"), variables.get("SSL_CERT_DIR")
    if bundle or directories:
        return Store(
            "SSL_CERT_FILE" if bundle else "SSL_CERT_DIR",
            _existing(bundle, "SSL_CERT_FILE") if bundle else None,
            _hashed(directories, "SSL_CERT_DIR") if directories else None,
        )
    for directory in (paths.openssl_capath, *_DIRECTORIES):
        if _is_hashed(directory):
            return Store(None, directories=directory)
    bundles = (paths.openssl_cafile, *_BUNDLES)
    return Store(None, next(filter(_has_content, bundles), None) or _certifi())


def _certifi() -> str:
    from certifi import where  # noqa: PLC0415  # only where the system has no certificates

    return where()


def _existing(path: str, source: str) -> str:
    if not os.path.exists(path):
        raise ConfigError(f"the CA bundle {path} does not exist", hint=f"check {source}")
    try:
        check_regular_at(path)
    except OSError as error:
        problem = f"cannot read CA certificates from {path}: {error.strerror}"
        raise ConfigError(problem, hint=f"check {source}") from None
    return path


def _hashed(paths: str, source: str) -> str:
    """Return `paths`, directories divided by colons, if any of them is hashed."""
    directories = [path for path in paths.split(os.pathsep) if os.path.isdir(path)]
    if not directories:
        raise ConfigError(f"the CA directory {paths} does not exist", hint=f"check {source}")
    if not any(map(_is_hashed, directories)):
        problem = f"the CA directory {paths} has no certificate under the name of its hash"
        raise ConfigError(problem, hint=f"run `openssl rehash {directories[0]}`, or check {source}")
    return paths


def _is_hashed(directory: str) -> bool:
    """Return True if OpenSSL finds certificates in `directory`; that takes 0.1 ms for 290 files."""
    try:
        with os.scandir(directory) as entries:
            return any(_HASHED.fullmatch(entry.name) and entry.is_file() for entry in entries)
    except OSError:  # it does not exist, or is not for us
        return False


def _has_content(path: str) -> bool:
    try:
        return os.path.getsize(path) > 0 and os.access(path, os.R_OK)
    except OSError:
        return False


def _load_own(made: ssl.SSLContext, certificate: str, key: str | None) -> None:
    """Load the client's certificate. Raises ConfigError if it or its key cannot be used."""

    def no_password() -> str:
        # OpenSSL would ask for it on the terminal, and wait there.
        raise ConfigError(
            f"the key in {key or certificate} is encrypted",
            hint=f"decrypt it: openssl pkey -in {key or certificate} -out NEW, and set client_key",
        )

    for path in (certificate, key):
        try:
            if path:
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
                check_regular_at(path)
        except OSError as error:
            problem = f"client_cert: cannot read {path}: {error.strerror}"
            raise ConfigError(problem, hint="check client_cert and client_key") from None
    try:
        made.load_cert_chain(certificate, key, no_password)
    except OSError as error:  # ssl.SSLError is one
        reason = getattr(error, "reason", None) or error.strerror or "not in PEM form"
        raise ConfigError(
            f"client_cert: cannot use {certificate} with the key in {key or certificate}: "
            f"{reason.replace('_', ' ').lower()}",
            hint="name a PEM file that holds both, or the key's file in client_key",
        ) from None
