"""Runs the witness's application under uvicorn, with limits that a slow or hostile client meets."""

from __future__ import annotations

import time
from pathlib import Path

from custody.errors import UsageError
from custody.witness.folder import opened
from custody.witness.witness import Witness

PATIENCE = 10
"""Seconds that an idle connection is kept."""

MOST = 64
"""Requests at once; more are answered 503."""


def serve(folder: Path, host: str, port: int, certificate: Path | None = None, key: Path | None = None) -> None:
    """Serve until a signal. UsageError where the extra is not installed, StoreError where there is no witness."""
    cosigner, memory = opened(folder)
    try:
        import uvicorn

        from custody.witness.server import application
    except ImportError:
        raise UsageError(
            "a witness that serves needs the extra witness", advice="pip install 'custody[witness]'"
        ) from None
    witness = Witness(cosigner, memory, lambda: int(time.time()))
    uvicorn.run(
        application(witness),
        host=host,
        port=port,
        ssl_certfile=None if certificate is None else str(certificate),
        ssl_keyfile=None if key is None else str(key),
        timeout_keep_alive=PATIENCE,
        limit_concurrency=MOST,
        server_header=False,
        access_log=False,
        log_level="warning",
    )
