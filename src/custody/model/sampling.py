r"""A random sample that anybody can draw again: from the ids of a population, a size and a seed, and nothing else.

The rank of an id is SHA-256 over the seed, a line feed and the id (UTF-8). The sample is the ids of lowest rank. The
digest of a population is SHA-256 over its ids in order of their bytes, each with a line feed after it. So with the
list of ids (one a line) ``LC_ALL=C sort -u ids | sha256sum`` gives the digest, and
``printf '%s\n%s' SEED ID | sha256sum`` the rank of one id.
"""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from custody.errors import UsageError


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A drawn sample and what it was drawn from: enough to draw it again.

    ``population`` counts the distinct ids, ``digest`` is the SHA-256 (hex) of them, ``size`` what was asked for.
    ``chosen`` holds the ids in order of rank; all of them where there are no more than ``size``.
    """

    population: int
    digest: str
    size: int
    seed: str
    chosen: tuple[str, ...]


def sample(ids: Iterable[str], size: int, seed: str) -> Sample:
    """Draw ``size`` of ``ids``; UsageError where that is none, or the seed is empty or holds a line feed."""
    if size < 1:
        raise UsageError("a sample of nothing", where="--sample", found=str(size), expected="1 or more")
    if not seed or "\n" in seed:
        raise UsageError("not a seed", where="--seed", found=repr(seed)[:64], expected="any text on one line")
    population = sorted(set(ids), key=str.encode)
    digest = sha256("".join(f"{each}\n" for each in population).encode()).hexdigest()
    ranked = sorted(population, key=lambda each: sha256(f"{seed}\n{each}".encode()).digest())
    return Sample(population=len(population), digest=digest, size=size, seed=seed, chosen=tuple(ranked[:size]))
