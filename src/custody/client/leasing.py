"""A credential for the length of a block: given back at its end, whatever happens in it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from custody.client.answers import Ended
from custody.client.credential import Credential
from custody.errors import CustodyError


class Leasing:
    """``with broker.lease(…) as credential:``. Afterwards ``ended`` says what the broker saw of the end.

    Where it cannot be given back, the block's own error goes on with a note about it; without one, that is the error.
    """

    def __init__(self, obtain: Callable[[], Credential], complete: Callable[[str], Ended]) -> None:
        self._obtain, self._complete = obtain, complete
        self.credential: Credential | None = None
        self.ended: Ended | None = None

    def __enter__(self) -> Credential:
        self.ended = None
        self.credential = self._obtain()
        return self.credential

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.credential is not None
        try:
            self.ended = self._complete(self.credential.chain)
        except CustodyError as trouble:
            if error is None:
                raise
            error.add_note(f"{self.credential.chain} was not given back: {trouble}")
