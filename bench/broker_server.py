"""The broker that ``bench/broker.py`` measures: FOLDER PORT journal|memory."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import uvloop

from custody.broker.evidence.memory import MemoryEvidence
from custody.cli import options
from custody.pipeline.registering.importing import import_document
from custody.pipeline.signatures import Given
from custody.serve.composing import compose
from custody.serve.demo import Folder
from custody.serve.service import serve
from custody.settings.broker_file import read_broker_file

OTHERS = """
@id("other-{number}")
permit (principal in Identity::"other-{number}", action in Action::"Obtain", resource == Backend::"tokens")
when {{ context.environment == "demo" && context.scope.contains("reports:write") }};
"""


def main() -> None:
    """Serve until a signal."""
    folder, port, evidence = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    place = Folder(folder)
    place.prepare(f"127.0.0.1:{port}")
    broker = folder / "broker.toml"
    text = broker.read_text().replace("derive_every = 2", "derive_every = 0")
    broker.write_text(text + "\n[limits]\nrate = 1000000\nburst = 1000000\n")
    (folder / "policies" / "others.cedar").write_text("".join(OTHERS.format(number=each) for each in range(9)))
    settings = options.resolved({"config": str(folder / "custody.toml")})
    import_document(settings, folder / "register.yaml", Given(), lambda _: None, judge=False)
    composed = compose(settings, read_broker_file(broker))
    place.mint(composed.file.issuer, composed.clock.now(), secrets.token_bytes)
    if evidence == "memory":
        journal = MemoryEvidence(composed.file.broker, composed.clock)
        composed.evidence.open = lambda _: type(composed.evidence).open(composed.evidence, journal)  # type: ignore[method-assign]
    uvloop.run(serve(composed))


if __name__ == "__main__":
    main()
