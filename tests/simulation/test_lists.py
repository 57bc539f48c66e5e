"""The lists of IAM: every role and user is in one, may do what it does, and nothing wide is among them."""

import json

from custody.register.privileges import policy
from custody.register.privileges.breadth import Breadth, breadth
from custody.register.privileges.evaluate import Held, Layer, effective
from custody.register.privileges.trust import trusted, widest
from custody.simulation.world import MAIN, SECOND
from tests.simulation.conftest import Made, content


def roles(made: Made) -> dict[str, dict[str, object]]:
    """Every role by its ARN."""
    found: dict[str, dict[str, object]] = {}
    for account in (MAIN, SECOND):
        listed = json.loads(content(made.logs / f"aws/iam/{account}/account-authorization-details.json"))
        found |= {role["Arn"]: role for role in listed["RoleDetailList"]}
    return found


def test_every_role_that_keys_speak_for_is_listed(clean: Made) -> None:
    subjects = {each.subject for each in clean.truth.credentials if each.subject and ":role/" in each.subject}
    listed = {arn.rpartition("/")[2] for arn in roles(clean)}

    assert subjects
    assert {each.rpartition("/")[2] for each in subjects} <= listed


def test_nothing_wide_is_granted_and_nobody_strange_is_trusted(clean: Made, faulty: Made) -> None:
    for made in (clean, faulty):
        for arn, role in roles(made).items():
            trust = policy.read(json.dumps(role["AssumeRolePolicyDocument"]).encode())
            assert (trust.problem, widest(trusted(trust))) == (None, None), arn
            inline = role["RolePolicyList"]
            assert isinstance(inline, list)
            texts = [policy.read(json.dumps(each["PolicyDocument"]).encode()) for each in inline]
            held = effective(Held(via="inline work", layer=Layer.IDENTITY, document=each) for each in texts)
            assert (held.unresolved, breadth(held)) == ((), Breadth()), arn
