"""Run the program for `python -m llmcli`."""

import sys

# Without -P, `python -m` looks for modules in the working directory first. A stray json.py or
# netrc.py there would run with access to the user's key.
if not sys.flags.safe_path and sys.path and sys.path[0]:
    del sys.path[0]

from llmcli.cli.entry import main

main()
