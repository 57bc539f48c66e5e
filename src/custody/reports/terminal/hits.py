"""What a search found: a ranked list, or what was searched and what would have shown it."""

from collections.abc import Mapping

from custody.chains.search import CHAIN, REQUEST, Searched
from custody.reports.safe import cleaned, plain, shortened, width
from custody.reports.terminal.layout import COLUMNS, labelled, pad, right, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import counted, number, short_key

KEYS, WIDEST = 24, 34
"""Columns of the keys with the gap after them: the more where that lets every one stand whole, as chain ids do."""

LOGS = "a log of the account, region and time in which it was issued or used: custody scope says what was read"
BROKERS = "the log of the broker that gave it out: it is sealed within seconds, and joined some seconds later"


def hits(searched: Searched, names: Mapping[str, str], style: Style = PLAIN) -> str:
    """One line a credential, most uses first. ``names`` says whose each key is (``Chain.who``)."""
    found = cleaned(searched).hits
    whose = {plain(key): plain(name) for key, name in names.items()}
    how = sorted({hit.how for hit in found})
    columns = max((width(number(hit.weight)) for hit in found), default=0)
    columns = max(columns, len("uses"))
    widest = max((width(short_key(hit.key)) + 2 for hit in found), default=KEYS)
    keys = widest if KEYS < widest <= WIDEST else KEYS
    head = f"{counted(len(found), 'credential')} by {' and '.join(how)}"
    lines = [style.strong(shortened(head, COLUMNS)), style.faint(f"{pad('key', keys)}{right('uses', columns)}  whose")]
    for hit in found:
        name = shortened(_brief(whose.get(hit.key, ""), hit.key), COLUMNS - keys - columns - 2)
        key = pad(shortened(short_key(hit.key), keys - 2), keys)
        lines.append(f"{key}{right(number(hit.weight), columns)}  {name}".rstrip())
    return "\n".join([*lines, style.faint("custody trace KEY shows one")]) + "\n"


def _brief(name: str, key: str) -> str:
    """The name without what stands in the column of keys already."""
    value = short_key(key)
    for part in (f"…{value[-8:]} of ", f"{value} of "):
        if part in name:
            return name.replace(part, "of ", 1)
    return name


def nothing(searched: Searched, text: str, style: Style = PLAIN) -> str:
    """No credential: what was looked for, where, and what would have shown it."""
    where = ", ".join(cleaned(searched).searched) or "nothing"
    would = BROKERS if CHAIN.fullmatch(text) or REQUEST.fullmatch(text) else LOGS
    lines = [
        style.strong(shortened(f"no credential matches {plain(text)}", COLUMNS)),
        *labelled("searched", wrapped(where, COLUMNS - 14)),
        *labelled("would show it", wrapped(would, COLUMNS - 14)),
    ]
    return "\n".join(lines) + "\n"
