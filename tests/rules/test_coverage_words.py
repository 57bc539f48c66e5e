"""Why a coverage number is zero: only what is missing is named."""

from collections import Counter

import pytest

from custody.model.contracts import EMPTY
from custody.model.verdicts import Question
from custody.rules.coverage import coverage
from custody.rules.judging import Judged

OWNER, PURPOSE = Question.OWNER.value, Question.PURPOSE.value
PROVED, CLAIMED, NOTHING = Counter({"proved": 2}), Counter({"unproven": 2, "claimed": 2}), Counter({"unproven": 2})


@pytest.mark.parametrize(
    ("owner", "purpose", "why"),
    [
        (NOTHING, NOTHING, "owner, purpose: no contract or register yet"),
        (PROVED, NOTHING, "purpose: no contract or register yet"),
        (CLAIMED, CLAIMED, "owner, purpose: claimed, not proved"),
        (PROVED, CLAIMED, "purpose: claimed, not proved"),
        (CLAIMED, NOTHING, "owner: claimed, not proved; purpose: no contract or register yet"),
        (PROVED, PROVED, "every chain has a question that is not proved"),
    ],
)
def test_only_what_is_missing_is_named(owner: Counter[str], purpose: Counter[str], why: str) -> None:
    judged = Judged(
        counts={OWNER: owner, PURPOSE: purpose}, findings=[], complete=0, machines=2, complete_identities=0,
        identities=1, settles=Counter(),
    )  # fmt: skip

    assert coverage(judged, EMPTY, frozenset(Question)).chains.why == why
