"""Sources that a small file describes: a log of one's own, read as that file maps it.

Log format: objects of JSON, or lines of logfmt (``key=value key="two words"``), whatever their names. The mapping file
(docs/sources/mapped.md) says which records are meant, what names and times them, who acted, and which credentials they
issue, use or end. A mapping is part of the scheme of the identities that it gives: ``mapped/`` and 16 hex digits of the
file's SHA-256.
"""

from custody.model.records import TextFraming, Wrapping
from custody.sources.mapped import event, identity, logfmt
from custody.sources.mapped.mapping import LOGFMT, Mapping
from custody.sources.source import Source

_DAY = 24 * 60 * 60 * 1_000_000


def source_of(mapping: Mapping) -> Source:
    """The source that ``mapping`` describes, named ``mapped.<name>``."""
    identifying = identity.Identifying(mapping)
    reading = event.Reading(mapping)
    container = mapping.array
    return Source(
        name=f"mapped.{mapping.name}",
        title=mapping.title or f"{mapping.name}, as a mapping file describes it",
        wrappings=(Wrapping(form=f"mapped-{mapping.name}", container=container),) if container else (),
        texts=(TextFraming(form=f"logfmt-{mapping.name}", head=logfmt.HEAD),) if mapping.format == LOGFMT else (),
        recognise=identifying.recognise,
        identify=identifying.identify,
        read=reading.read,
        time_resolution=mapping.resolution,
        delivery_delay=_DAY,
        standing="documentation",
        proves=f"what the mapping file says, on the word of the log's writer ({mapping.asserter})",
        enable="--mapping FILE for each mapping file",
    )
