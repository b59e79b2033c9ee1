"""The paths of sessions and templates, which users name by a plain name or by a path."""

import os
import re
from pathlib import Path

from llmcli.errors import UsageError

# A first character that is a letter or digit keeps out hidden files and names like options.
_NAME = re.compile(r"[^\W_][\w.@+-]{0,99}")


def named_file(folder: Path, name: str, suffix: str, what: str) -> Path:
    """Return the path that `name` stands for: in `folder`, with `suffix` added to the name.

    A name with a slash is a path of its own, to which no suffix is added. `what` is what the file
    holds, such as "session", for the message. Raise UsageError for a name that is not valid.
    """
    if "/" in name:
        return Path(os.path.abspath(name))
    if not _NAME.fullmatch(name) or name.endswith("."):
        hint = "use letters, digits and . _ - @ +, or a path with a slash"
        raise UsageError(f"{name!r} cannot name a {what}", hint=hint)
    return folder / (name + suffix)
