"""What is true of the sample, by construction: what a reader of the files should find, and nothing else."""

import msgspec

from custody.model.verdicts import Population, Severity, State


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, and what should be said of it.

    ``keys`` are the access keys that the answer is about, ``descendants`` those that come from them. ``rule`` is the
    id of the rule that should answer with ``state``, None where nothing should be found; ``severity`` is of the
    finding, None where there should be none. ``needs_contract`` says that the answer rests on the contract beside.
    """

    name: str
    text: str
    keys: tuple[str, ...]
    descendants: tuple[str, ...] = ()
    rule: str | None = None
    state: State | None = None
    severity: Severity | None = None
    needs_contract: bool = False


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """The counts and stories of one sample.

    ``records`` counts every record in every file, so that records = understood + skips + duplicates. ``issued`` are
    the access keys whose issuing call succeeded, ``used`` the distinct keys presented, ``joined`` both. ``populations``
    counts credentials, forward access sessions apart; ``unissued`` counts the used keys without an issuance by class.
    ``tokens`` are all session tokens in the files: none may be found in anything that is kept.
    """

    files: tuple[str, ...]
    records: int
    understood: int
    skips: int
    duplicates: int
    issued: tuple[str, ...]
    used: tuple[str, ...]
    joined: tuple[str, ...]
    forward_access: tuple[str, ...]
    populations: dict[Population, int]
    unissued: dict[str, int]
    tokens: tuple[str, ...]
    stories: tuple[Story, ...]
    contract: str

    def story(self, name: str) -> Story:
        """The story called ``name``; raises KeyError where there is none."""
        found = {story.name: story for story in self.stories}
        return found[name]
