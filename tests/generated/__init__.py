"""Text made from the code: shell completions and parts of the README.

`python -m tests.generated` rewrites them; a test compares them with what is committed.
"""
