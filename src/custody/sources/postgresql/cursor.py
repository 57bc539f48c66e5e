"""Reading one SQL statement word by word."""

from custody.sources.postgresql.tokens import NAME, OTHER, STRING, WORD, Token, folded, kept_name

_NOT_NAMES = frozenset(("CURRENT_USER", "CURRENT_ROLE", "SESSION_USER", "USER"))


class Cursor:
    """A place in the tokens of one statement. Behind the end every question has the answer no."""

    def __init__(self, statement: list[Token]) -> None:
        self._tokens = statement
        self._at = 0

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._tokens)

    def _peek(self) -> Token | None:
        return None if self.ended else self._tokens[self._at]

    def word(self) -> str | None:
        """Take a word (in upper case), None where there is none."""
        token = self._peek()
        if token is None or token.kind != WORD:
            return None
        self._at += 1
        return token.value

    def take(self, *words: str) -> bool:
        """Take these words one after the other, or nothing."""
        ahead = self._tokens[self._at : self._at + len(words)]
        if [token.value for token in ahead if token.kind == WORD] != [*words]:
            return False
        self._at += len(words)
        return True

    def one_of(self, *words: str) -> str | None:
        """Take the next word where it is one of these."""
        return next((word for word in words if self.take(word)), None)

    def sign(self, sign: str) -> bool:
        """Take a sign."""
        token = self._peek()
        if token is None or token.kind != OTHER or token.value != sign:
            return False
        self._at += 1
        return True

    def name(self) -> str | None:
        """Take the name of a role; None where it is a word that stands for whoever is asking, or no name."""
        token = self._peek()
        if token is None or token.kind not in (WORD, NAME):
            return None
        self._at += 1
        if token.kind == NAME:
            return kept_name(token.value) or None
        return None if token.value in _NOT_NAMES else kept_name(folded(token.value))

    def names(self) -> list[str]:
        """Take a list of role names; those that say no name are left out."""
        found = [self.name()]
        while self.sign(","):
            found.append(self.name())
        return [name for name in found if name is not None]

    def string(self) -> str | None:
        """Take a string with its continuations."""
        pieces: list[str] = []
        while (token := self._peek()) is not None and token.kind == STRING:
            pieces.append(token.value)
            self._at += 1
        return "".join(pieces) if pieces else None

    def number(self) -> str | None:
        """Take digits, with their sign."""
        minus = self.sign("-")
        token = self._peek()
        if token is None or token.kind != OTHER or not token.value.isdigit():
            return None
        self._at += 1
        return f"-{token.value}" if minus else token.value

    def until(self, *words: str) -> list[Token]:
        """Take everything before the first of these words that stands outside brackets, and the word too."""
        start, depth = self._at, 0
        for place in range(start, len(self._tokens)):
            token = self._tokens[place]
            depth += (token.value == "(") - (token.value == ")") if token.kind == OTHER else 0
            if depth == 0 and token.kind == WORD and token.value in words:
                self._at = place + 1
                return self._tokens[start:place]
        self._at = len(self._tokens)
        return self._tokens[start:]
