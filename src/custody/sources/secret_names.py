r"""What a secret is called and what it looks like, as patterns over lower-case bytes.

Frozen with the identity scheme of the sources that use it (``event-id/1``): a change here changes the kept bytes of
the same record and so needs a new scheme. The patterns bound every repetition or start it at a fixed word, so that
hostile input costs time in proportion to its length.
"""

import re

from custody.sources.screen import Screen

HIDDEN = b"HIDDEN_DUE_TO_SECURITY_REASONS"
"""What CloudTrail itself writes in place of a secret; it stays."""

_HARMLESS_TOKENS = tuple(
    word + mark
    for word in (
        "client", "clientrequest", "client_request", "next", "forward", "backward", "continuation", "pagination",
        "paging", "page", "sequence", "idempotency", "creation", "lock", "change", "update", "subjectfromwebidentity",
    )
    for mark in ("", "_", "-")
)  # fmt: skip
"""Words before ``token`` that make it a cursor, an idempotency mark or a name, and not a secret."""

_HARMLESS = tuple(word.encode() for word in _HARMLESS_TOKENS)

_WORDS = (
    "secret(?:[_-]?string|[_-]?binary|[_-]?key|[_-]?access[_-]?key)?",
    "passwords?|passwd|passphrase|passcode|pwd",
    "private[_-]?key(?:[_-]?(?:material|pem|data|plaintext))?",
    "key[_-]?material",
    "pre[_-]?shared[_-]?key",
    "api[_-]?key",
    "authorization",
    "cookies?",
    "assertion",
    "amz[_-]?signature",
    "authorization[_-]?code",
    "device[_-]?code",
    "token[_-]?code",
)
_NAMES = "|".join(("token", *_WORDS))
# Every alternative begins with a letter of its own: the matcher then skips by first letter, four times as quick.
_TELLING = (
    "token|secret|passw|passphrase|passcode|pwd|authorization|credential|private[_ -]?key|cookie|session|signature"
    "|api[_-]?key|assertion|bearer"
)
_SHAPES = r"IQoJb3JpZ2lu|F[Qw]oGZXIvYXdz|PRIVATE KEY-----|(?i:x-amz-s(?:ecurity-token|ignature)(?:=|%3d))"
SPACE = r"(?:[ \t\r\n]|\\+[nrt])*"
_END = r'[^A-Za-z0-9"\\]*\\*"'
PAIR_NAME = r'"(?:name|key|parameter_?name|parameter_?key|tag_?key)\\*"'
PAIR_VALUE = r'"(?:values?|parameter_?value|tag_?value)\\*"'
"""Members, in lower case, that name something and give it a value: ``{"name": "DB_PASSWORD", "value": …}``."""

_AS_NAME = rf'{PAIR_NAME}{SPACE}:{SPACE}\\*"[^"]*(?:{_NAMES}){_END}'

SCREEN = rf"\\u|(?i:(?:{_NAMES}){_END}{SPACE}:|{_AS_NAME})|{_SHAPES}"
"""What occurs in every record in which ``secret_spans.find`` finds something (RE2 and ``re`` syntax)."""

SCREEN_BUT_TOKENS = rf"\\u|(?i:(?:{'|'.join(_WORDS)}){_END}{SPACE}:|{_AS_NAME})|{_SHAPES}"
TOKENS = rf"(?i:token{_END}{SPACE}:)"
HARMLESS_TOKENS = rf"(?i:(?:{'|'.join(_HARMLESS_TOKENS)})token{_END}{SPACE}:)"
"""A record that SCREEN stops only for tokens, all of them harmless, has nothing to hide: cursors are common."""

EXACT = re.compile(rf'({_NAMES})[^a-z0-9"\\]*(\\*)"'.encode())
"""The end of a string, in lower case, that ends in the name of a secret: (name)(backslashes)quote."""

EXACT_STARTS = tuple(
    word.encode()
    for word in (
        "token", "secret", "pass", "pwd", "private", "key", "pre", "api", "authorization", "cookie", "assertion",
        "amz", "device",
    )
)  # fmt: skip
"""What every match of EXACT begins with: plain searches for these and a match there are quicker than the pattern."""

BROAD = re.compile(rf'({_TELLING})[^"\\]{{0,64}}(\\*)"'.encode())
"""The end of a string, in lower case, that holds a telling word."""

WORDS = (
    r"\\u|(?i:token|secret|passw|passphrase|passcode|pwd|private|material|shared|api[_-]?key|authorization|cookie"
    r"|assertion|signature|device[_-]?code)|IQoJb3JpZ2lu|GZXIvYXdz"
)
"""What occurs wherever SCREEN matches: it stops more, and is ready five times as soon (RE2 takes long to compile)."""

_PASTED = (
    r"(?i:eyj[a-z0-9_-]+\.|gh[opsru]_|github_pat_|glpat-|xox[abeoprs]-|hv[sbr]\.|bearer |basic |identified (?:by|with) "
    r"|%3a%2f%2f|(?:[?&]|%3f|%26)(?:sig|code|auth|jwt|session|credential)[a-z_]*(?:=|%3d)"
    r"|://[^/\s:@\"\\]*:[^/\s@\"\\]+@|key *(?:[=:]|%3d) *[^\s\"\\,;&<>])"
)
PASTED = _PASTED + (
    r"|(?i:(?:passwords?|passwd|passphrase|pwd|secret|token) *(?:[=:]|%3d) *[^\s\"\\,;&<>]|password +e?'"
    r"|--?[a-z0-9_.-]*(?:passwords?|passwd|passphrase|pwd|secret|token|key)"
    r"(?: |%20|[+]|&command=|\\*\"[\s\\nrt]*[,}]))|\\u"
)
"""What occurs in every record in which ``pasted_secrets.joined`` finds something: it stops fewer than SUSPECTS."""
SUSPECTS = Screen(f"{WORDS}|{_PASTED}", least=8 * 1024)
"""Stops every record in which ``secret_spans``, ``pasted_secrets`` or GitHub's ``token_shapes`` find something."""

TELLING = re.compile(rf"(?i:{_TELLING})|{_SHAPES}".encode())
"""Anything that makes bytes suspicious that are no JSON."""

_KINDS = {
    "token": "token", "secret": "secret", "pass": "password", "pwd": "password", "authorization": "authorization",
    "cookie": "cookie", "assertion": "assertion", "amz": "signature", "signature": "signature", "device": "code",
    "session": "session", "credential": "credential", "bearer": "token",
}  # fmt: skip


def kind_of(name: bytes) -> str:
    """The class of a secret, for its mask, by the name that gave it away."""
    text = name.decode("ascii", "replace")
    if text.endswith("code") and not text.startswith("pass"):
        return "code"
    return next((kind for start, kind in _KINDS.items() if text.startswith(start)), "key")


def is_harmless(low: bytes, name: re.Match[bytes]) -> bool:
    """Whether a match of EXACT in ``low`` is a token that is no secret: a cursor, an idempotency mark."""
    return name.group(1) == b"token" and low[max(0, name.start() - 32) : name.start()].endswith(_HARMLESS)


def is_secret_name(name: str) -> bool:
    """Whether a member or tag called ``name`` holds a secret."""
    low = name.lower().encode("utf-8", "replace") + b'"'
    found = EXACT.search(low)
    return found is not None and not is_harmless(low, found)
