"""The changes that would settle most, each with how its source is switched on."""

from __future__ import annotations

import msgspec

from custody.model.report import Coverage, FixRef
from custody.sources.registry import sources


def enabled(coverage: Coverage) -> Coverage:
    """``coverage`` with a setting for every fix: where it has none of its own, how its sources are switched on."""
    ways = {source.name: source.enable for source in sources()}
    return msgspec.structs.replace(coverage, fixes=tuple(_enabled(fix, ways) for fix in coverage.fixes))


def _enabled(fix: FixRef, ways: dict[str, str]) -> FixRef:
    if fix.setting or fix.source is None:
        return fix
    named = [name for name in fix.source.split(", ") if name in ways]
    lines = [ways[name] if len(named) == 1 else f"{name}: {ways[name]}" for name in named]
    return msgspec.structs.replace(fix, setting="\n".join(lines))
