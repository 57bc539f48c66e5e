"""The subcommands of ``custody incident``: loaded when asked for."""
