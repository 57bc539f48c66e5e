"""Privileges that are changed in incidents: what the truth says of them is in the files, as the scenes have it."""

import json

from custody.simulation.faults.privileges import CHANGED, SCENES
from custody.simulation.truth import Grant
from custody.simulation.world import MAIN
from tests.simulation.conftest import Made, content

CALLS = {"inline": ("PutUserPolicy", "DeleteUserPolicy"), "managed": ("AttachUserPolicy", "DetachUserPolicy")}


def of(made: Made, name: str) -> list[Grant]:
    """The grants of the principal of a scene."""
    return [each for each in made.truth.grants if each.principal.endswith((f"-{name}", f"/{name}", f"_{name}"))]


def test_every_scene_has_a_principal_of_its_own(clean: Made, faulty: Made) -> None:
    planted = [each for each in faulty.truth.planted if each.fault == CHANGED]

    assert clean.truth.grants == ()
    assert len(planted) == len(SCENES) == len({each.principal for each in faulty.truth.grants})
    assert {each.subject for each in planted} == {each.principal for each in faulty.truth.grants}
    for each in faulty.truth.grants:
        assert each.until is None or (each.since or 0) < each.until <= faulty.truth.until
        assert (each.since is None) == (each.by is None)


def test_scenes_end_as_they_are_called(faulty: Made) -> None:
    def open_of(name: str) -> set[tuple[str, ...]]:
        return {each.allows for each in of(faulty, name) if each.until is None}

    (export,) = {each.allows for each in of(faulty, "narrowed") if each.until is not None}
    assert export not in open_of("narrowed")
    assert export in open_of("given-again")
    assert len([each for each in of(faulty, "given-again") if each.allows == export]) == 2
    (release,) = {each.allows for each in of(faulty, "detached") if each.until is not None}
    assert release not in open_of("detached")
    assert release in open_of("given-still")
    assert release in open_of("kept")
    lent, late = of(faulty, "lent")[-1], of(faulty, "back-late")[-1]
    assert (lent.until or 0) - (lent.since or 0) == 50 * 60_000_000
    assert (late.until or 0) - (late.since or 0) == 95 * 60_000_000


def test_every_change_of_a_user_is_a_record(faulty: Made) -> None:
    """As many calls as grants that began and ended; a text that is written anew ends nothing by a call of its own."""
    users = {each.principal.rpartition("/")[2] for each in faulty.truth.grants if ":user/" in each.principal}
    told: dict[str, int] = {}
    for path in faulty.logs.glob(f"aws/AWSLogs/{MAIN}/CloudTrail/**/*.gz"):
        for record in json.loads(content(path))["Records"]:
            name = (record["requestParameters"] or {}).get("userName")
            if name in users and "Policy" in record["eventName"]:
                told[record["eventName"]] = told.get(record["eventName"], 0) + 1

    for kind, (gives, takes) in CALLS.items():
        mine = [each for each in faulty.truth.grants if each.kind == kind and ":user/" in each.principal]
        rewritten = [each for each in mine if each.principal.endswith("-rewritten") and each.until is not None]
        assert told[gives] == sum(each.since is not None for each in mine)
        assert told[takes] == sum(each.until is not None for each in mine) - len(rewritten)


def test_the_lists_have_what_is_held_at_the_end(faulty: Made) -> None:
    listed = json.loads(content(faulty.logs / f"aws/iam/{MAIN}/account-authorization-details.json"))
    users = {each["Arn"]: each for each in listed["UserDetailList"]}

    for principal in {each.principal for each in faulty.truth.grants if ":user/" in each.principal}:
        user = users[principal.split(":", 2)[2]]
        held = [each for each in faulty.truth.grants if each.principal == principal and each.until is None]
        assert {each["PolicyName"] for each in user["UserPolicyList"]} == {
            each.what for each in held if each.kind == "inline"
        }
        assert {each["PolicyArn"] for each in user["AttachedManagedPolicies"]} == {
            each.what for each in held if each.kind == "managed"
        }
        assert ("PermissionsBoundary" in user) == any(each.kind == "boundary" for each in held)


def test_bindings_and_memberships_are_in_their_logs(faulty: Made) -> None:
    bindings = [
        record
        for record in map(json.loads, faulty.lines("kubernetes/audit.log")[:-1])
        if record.get("objectRef", {}).get("resource") == "rolebindings"
    ]
    mine = [each for each in faulty.truth.grants if each.kind == "role-binding"]
    assert sum(each["verb"] == "create" for each in bindings) == len(mine)
    assert sum(each["verb"] == "delete" for each in bindings) == sum(each.until is not None for each in mine)
    for each in mine:
        assert each.through is not None
        assert each.through.rpartition("/")[2] in {record["objectRef"]["name"] for record in bindings}

    statements = [json.loads(line)["message"] for line in faulty.lines("postgresql/*")]
    assert 'statement: GRANT "items_write" TO "tools_joined"' in statements
    assert 'statement: REVOKE "items_read" FROM "tools_left"' in statements
