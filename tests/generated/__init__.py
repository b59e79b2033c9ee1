"""Text made from the code: shell completions, parts of README and manual, and the man pages.

`python -m tests.generated` rewrites them; a test compares them with what is committed.
"""
