"""The subcommands of ``custody register``: each is one file, loaded when asked for."""
