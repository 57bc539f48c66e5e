"""From a kept line of a broker to its events: what the entry says, and the line itself as a link of the log."""

from custody.model import brokered
from custody.model.brokered import Entry
from custody.model.events import Asserter, Event, Part, Skip, Stage
from custody.sources.custody_broker import lives, requests, service
from custody.sources.custody_broker.identity import entry_of, secrets
from custody.sources.decoding import told
from custody.sources.masking import PREFIX, mask

LINE = "log.line"


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The events of a kept line, or why there is none. Raises nothing."""
    return told(lambda: _events(kept))


def _events(raw: bytes) -> tuple[Event, ...]:
    """The events of the line as it is kept, also where ``raw`` is the original."""
    spans = secrets(raw).spans
    kept = mask(raw, spans) if spans else raw
    entry = entry_of(kept)
    first, *more = _meaning(entry)
    return (_with(first, _line(kept, entry)), *more)


def _with(event: Event, part: Part) -> Event:
    values = {name: getattr(event, name) for name in Event.__struct_fields__}
    return Event(**{**values, "parts": (*event.parts, part)})


def _line(kept: bytes, entry: Entry) -> Part:
    """The line as a link: its digest (and that of the entry written anew, should a shipper have spaced it otherwise).

    Of a line in which something was masked the digest is not known: nothing is said of the one after it.
    """
    masked = PREFIX in kept
    return Part(
        stage=Stage.INVENTORY,
        effect=LINE,
        object=None if masked else brokered.digest_of(kept),
        session_name=None if masked else brokered.digest_of(brokered.line(entry)),
        related=entry.prev,
        asserter=Asserter.SELF_REPORTED,
    )


def _meaning(entry: Entry) -> tuple[Event, ...]:
    """What the entry says of a request or a life; else of the broker and what it keeps."""
    match entry.body:
        case brokered.Request() as body:
            return requests.requested(entry, body)
        case brokered.Refused() as body:
            return requests.refused(entry, body)
        case brokered.Approved() as body:
            return requests.approved(entry, body)
        case brokered.Issued() as body:
            return lives.issued(entry, body)
        case brokered.Failed() | brokered.EndAsked() | brokered.Probed() | brokered.Ended():
            return lives.after(entry)
        case _:
            return service.told(entry)
