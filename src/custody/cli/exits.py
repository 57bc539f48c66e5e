"""Exit codes, in one table (docs/exit-codes.md is held against it by a test)."""

CODES: dict[str, int] = {
    "done": 0,
    "input": 1,
    "usage": 2,
    "not found": 3,
    "store": 4,
    "findings": 5,
    "unfinished": 6,
    "refused": 7,
    "interrupted": 130,
}

MEANING: dict[str, str] = {
    "done": "everything was done; findings alone do not change it",
    "input": "done, but some files or records could not be read; stderr says which and where, the rest was",
    "usage": "command line, setting, given file or signature is wrong (nothing was done), or output cannot be written",
    "not found": "what was asked for is not in the store",
    "store": "the store is damaged, locked, forked, or cannot be used",
    "findings": "done, and there is a finding at or above --fail-on, or what --strict asks for is not so",
    "unfinished": "verify found an unfinished commit and no damage; the next audit finishes or undoes it",
    "refused": "no credential, or no step of an incident: not proved, not allowed, not approved; stderr says which",
    "interrupted": "interrupted; what was sealed stays, run again to go on",
}
