"""The subcommands of ``custody review``: each is one file, loaded when asked for."""
