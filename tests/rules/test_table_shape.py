"""Tables made by other SQL or other rules have another shape."""

import msgspec

from custody.rules.registry import load
from custody.rules.shape import shape


def test_the_shape_follows_what_rules_ask_for() -> None:
    rules = load()
    first, *others = rules
    changed = msgspec.structs.replace(first, facts="SELECT 1 AS key")

    assert shape(rules) == shape(load())
    assert shape([changed, *others]) != shape(rules)
    assert shape(others) != shape(rules)
    assert shape(rules, ["SQL of another room"]) != shape(rules)
