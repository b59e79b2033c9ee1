"""The rules for request headers that the user adds by --header or in config.toml."""

import re
from collections.abc import Mapping

from llmcli.config import providers
from llmcli.config.providers import AUTHORIZATION
from llmcli.config.settings import Settings
from llmcli.errors import ConfigError

# The first two say where the body ends, which the HTTP library alone knows. The third would ask for
# an encoding, and the reader of the stream decodes none.
_SET_BY_LLMCLI = ("content-length", "transfer-encoding", "accept-encoding")


def is_secret(name: str) -> bool:
    """Return whether a header of this name may carry a credential, judged by words in the name.

    The rule would rather hide a harmless header than show or send elsewhere one that is secret.
    """
    return bool(re.search(r"auth|key|token|secret|cookie|pass|credential|session", name, re.I))


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise ConfigError for a header that cannot be sent as it is written.

    A name must be a token of RFC 9110, section 5.6.2. A value must be Latin-1 without line ends,
    NUL and white space around it (section 5.5): a line end in it would smuggle in another header.
    """
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ConfigError(f"{name!r} is not a valid header name")
        if name.lower() in _SET_BY_LLMCLI:
            raise ConfigError(f"the header {name} is set by llmcli and cannot be changed")
        # The value may be a credential, so the message does not show it.
        if any(c in "\r\n\0" or ord(c) > 0xFF for c in value) or value != value.strip():
            raise ConfigError(
                f"the value of header {name} cannot be sent: it must be Latin-1 without line ends "
                "and without white space around it"
            )


def credential_header(settings: Settings, base_url: str) -> str | None:
    """Return the header of the user's that carries a key to `base_url`; None if there is none.

    Where there is one it wins, and no key is looked for.
    """
    provider = providers.chosen(settings.provider, base_url)
    carriers = {"authorization", (provider.key_header if provider else AUTHORIZATION).lower()}
    names = (name for name in settings.headers if name.lower() in carriers)
    return next((name for name in names if settings.belongs(name, base_url)), None)
