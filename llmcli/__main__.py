"""`python -m llmcli`.

Without -P Python looks for modules in the working directory first, where a stray json.py or
netrc.py would be run with the user's key at hand.
"""

import sys

if not sys.flags.safe_path and sys.path and sys.path[0]:
    del sys.path[0]

from llmcli.cli.entry import main

main()
