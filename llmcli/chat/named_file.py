"""The paths of sessions and templates, which users name by a plain name or by a path."""

import os
import re
from pathlib import Path

from llmcli.errors import NoInput, UsageError

# A first character that is a letter or digit keeps out hidden files and names like options.
_NAME = re.compile(r"[^\W_][\w.@+-]{0,99}")


def named_file(folder: Path, name: str, suffix: str, what: str) -> Path:
    """Return the path that `name` stands for: in `folder`, with `suffix` added to the name.

    A name with a slash is a path of its own, to which no suffix is added. `what` is what the file
    holds, such as "session", for the message. Raise UsageError for a name that is not
    valid, NoInput for a relative path where the working directory is gone.
    """
    if "/" in name:
        try:
            return Path(os.path.abspath(name))
        except OSError:
            problem = f"{what} {name}: the working directory does not exist any more"
            raise NoInput(problem, hint="change to another, or give an absolute path") from None
    if not _NAME.fullmatch(name) or name.endswith("."):
        hint = "use letters, digits and . _ - @ +, or a path with a slash"
        raise UsageError(f"{name!r} cannot name a {what}", hint=hint)
    return folder / (name + suffix)


def files_in(folder: Path, suffix: str) -> list[Path]:
    """Return the paths of the files in `folder` that end in `suffix`, sorted.

    Return an empty list if `folder` does not exist. Raise NoInput if it cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise NoInput(f"cannot read {folder}: {error.strerror}") from None
    return [folder / name for name in names if name.endswith(suffix)]
