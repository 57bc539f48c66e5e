"""The systems that make credentials, one file each, found by module scan (``registry``)."""
