"""One file a command. Its docstring is its --help; it parses, calls and returns."""
