"""Putting an answer on stdout: text for people, one JSON object for programs."""

from __future__ import annotations

import sys

import click
import msgspec

from custody.cli.options import colored
from custody.reports.terminal.style import Style
from custody.settings.catalog import Settings


def emit(value: object) -> None:
    """One JSON object, indented; control characters of hostile logs stay escaped, as JSON wants them."""
    encoded = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    click.echo(encoded.replace("\x7f", "\\u007f"))


def emit_line(value: object) -> None:
    """One JSON object on one line, and out at once: somebody reads them as they come."""
    click.echo(msgspec.json.encode(value).decode().replace("\x7f", "\\u007f"))
    sys.stdout.flush()


def style(settings: Settings) -> Style:
    """Colour or none."""
    return Style(colored(settings))


def note(text: str) -> None:
    """A line for people, on stderr."""
    click.echo(text, err=True)
