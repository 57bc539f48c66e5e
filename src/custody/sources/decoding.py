"""From a kept record to events, with every way in which reading can fail told as a Skip."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from custody.errors import SourceError
from custody.model.events import Event, Skip

T = TypeVar("T")


def events_of(
    kept: bytes | str, decoder: msgspec.json.Decoder[T], make: Callable[[T], tuple[Event, ...]]
) -> tuple[Event, ...] | Skip:
    """What ``make`` gives of the decoded record, or why there is nothing. Raises nothing.

    ``make`` says by SourceError that a field which the meaning needs is missing or wrong.
    """
    return told(lambda: make(decoder.decode(kept)))


def told(read: Callable[[], tuple[Event, ...]]) -> tuple[Event, ...] | Skip:
    """What ``read`` gives; what it raises about the record as a Skip."""
    try:
        return read()
    except SourceError as error:
        return Skip("malformed", str(error))
    except msgspec.ValidationError as error:
        return Skip("malformed", str(error))
    except RecursionError:
        return Skip("too-deep", "nested deeper than the decoder goes")
    except UnicodeError:
        return Skip("invalid-utf8", "a string is no UTF-8")
    except msgspec.DecodeError as error:
        return Skip("not-json", str(error))
