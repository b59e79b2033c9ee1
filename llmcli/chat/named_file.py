"""Files that users name: a session or a template, by a name of its own or by a path."""

import os
import re
from pathlib import Path

from llmcli.errors import UsageError

_NAME = re.compile(r"[^\W_][\w.@+-]{0,99}")


def named_file(folder: Path, name: str, suffix: str, what: str) -> Path:
    """Return the file of `name` in `folder`; a name with a slash is a path, as it stands.

    Raises UsageError for what cannot name a `what`, such as "session"."""
    if "/" in name:
        return Path(os.path.abspath(name))
    if not _NAME.fullmatch(name) or name.endswith("."):
        hint = "letters, digits and . _ - @ +, or a path with a slash"
        raise UsageError(f"{name!r} cannot name a {what}", hint=hint)
    return folder / (name + suffix)
