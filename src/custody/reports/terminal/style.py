"""The few ways in which text may stand out in a terminal. Off, which is the default, they change nothing."""

import msgspec


class Style(msgspec.Struct, frozen=True):
    """ANSI attributes by meaning. A colour only repeats what a word or mark beside it says."""

    on: bool = False

    def strong(self, text: str) -> str:
        """What a line is about."""
        return self._wrap("1", text)

    def faint(self, text: str) -> str:
        """What may be passed over: zeros, grades, commands."""
        return self._wrap("2", text)

    def bad(self, text: str) -> str:
        """Violated, high."""
        return self._wrap("1;31", text)

    def warn(self, text: str) -> str:
        """Medium, indicated."""
        return self._wrap("33", text)

    def good(self, text: str) -> str:
        """Proved."""
        return self._wrap("32", text)

    def state(self, state: str, text: str) -> str:
        """In the manner of a verdict's state."""
        paint = {"proved": self.good, "violated": self.bad, "n/a": self.faint}.get(state)
        return paint(text) if paint else text

    def severity(self, severity: str, text: str) -> str:
        """In the manner of a finding's severity."""
        if severity in ("critical", "high"):
            return self.bad(text)
        return self.warn(text) if severity == "medium" else text

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text


PLAIN = Style()
