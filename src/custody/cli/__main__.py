"""``python -m custody.cli``."""

from custody.cli import run

run()
