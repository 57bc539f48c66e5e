"""Each story of the sample leaves the records that its answer rests on, and none that would muddle it."""

import re
from collections import Counter

import pytest
from tests.sample_estate.cloudtrail import Fields, spelled
from tests.sample_estate.contract import CONTRACT
from tests.sample_estate.estate import OFFICE, THIEF
from tests.sample_estate.inventor import Inventor
from tests.sample_estate.journal import Journal, at
from tests.sample_estate.truth import Story, Truth
from tests.sample_estate.write import tell

from custody.model.verdicts import Population, Severity, State


@pytest.fixture(scope="module")
def journal() -> Journal:
    return tell(7)


@pytest.fixture(scope="module")
def records(journal: Journal) -> list[Fields]:
    return [entry.record for entry in sorted(journal.entries, key=lambda entry: entry.time)]


def _story(journal: Journal, name: str) -> Story:
    return next(story for story in journal.stories if story.name == name)


def _at(record: object, *path: str) -> object:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _uses(records: list[Fields], key: str) -> list[Fields]:
    return [record for record in records if _at(record, "userIdentity", "accessKeyId") == key]


def _issue(records: list[Fields], key: str) -> Fields:
    """The one record that issues the key; of two copies, the caller's."""
    return next(
        record
        for record in records
        if key in (_at(record, "responseElements", *path) for path in _ISSUED)
        and _at(record, "userIdentity", "type") != "AWSAccount"
    )


_ISSUED = (("credentials", "accessKeyId"), ("accessKey", "accessKeyId"))


def _named(records: list[Fields], action: str) -> list[Fields]:
    return [record for record in records if record["eventName"] == action]


def _origins(records: list[Fields], key: str) -> set[object]:
    return {record["sourceIPAddress"] for record in _uses(records, key)}


def test_the_stolen_key_works_only_where_another_principal_works_too(journal: Journal, records: list[Fields]) -> None:
    (stolen,) = _story(journal, "stolen key").keys
    assert _origins(records, stolen) == {THIEF}
    principals = {
        _at(record, "userIdentity", "principalId") for record in records if record["sourceIPAddress"] == THIEF
    }
    before = min(str(r["eventTime"]) for r in records if r["sourceIPAddress"] == THIEF)
    (launch,) = [r for r in _named(records, "RunInstances") if journal.estate.orders[0].id in str(r)]
    assert len(principals) == 4
    assert before < str(launch["eventTime"])


def test_the_stolen_key_has_a_sibling_of_the_same_second_used_by_the_instance(
    journal: Journal, records: list[Fields]
) -> None:
    (stolen,) = _story(journal, "stolen key").keys
    issue = _issue(records, stolen)
    name = _at(issue, "requestParameters", "roleSessionName")
    siblings = [
        str(_at(record, "responseElements", "credentials", "accessKeyId"))
        for record in _named(records, "AssumeRole")
        if _at(record, "requestParameters", "roleSessionName") == name and record["eventTime"] == issue["eventTime"]
    ]
    (own,) = set(siblings) - {stolen}
    assert name == journal.estate.orders[0].id
    assert _origins(records, own) == {journal.estate.main.address}


def test_the_log_itself_says_where_the_instances_call_from(journal: Journal, records: list[Fields]) -> None:
    for network in (journal.estate.main, journal.estate.second):
        (allocated,) = [r for r in _named(records, "AllocateAddress") if network.address in str(r)]
        (gateway,) = [r for r in _named(records, "CreateNatGateway") if network.nat in str(r)]
        launched = [r for r in _named(records, "RunInstances") if network.vpc in str(r)]
        made = ("responseElements", "CreateNatGatewayResponse", "natGateway")
        assert _at(allocated, "responseElements", "allocationId") == _at(
            gateway, *made, "natGatewayAddressSet", "item", "allocationId"
        )
        assert _at(gateway, *made, "vpcId") == network.vpc
        assert str(allocated["eventTime"]) < str(gateway["eventTime"]) < min(str(r["eventTime"]) for r in launched)
        assert len(launched) in (2, 4)


def test_what_the_thief_made_descends_from_the_stolen_key_and_outlives_it(
    journal: Journal, records: list[Fields]
) -> None:
    story = _story(journal, "stolen key")
    support, left = story.descendants
    assert _at(_issue(records, support), "userIdentity", "accessKeyId") == story.keys[0]
    assert _at(_issue(records, left), "userIdentity", "accessKeyId") == support
    assert journal.issued[support] is Population.MACHINE
    assert max(str(r["eventTime"]) for r in _uses(records, left)) > max(
        str(r["eventTime"]) for r in _uses(records, story.keys[0])
    )


def test_after_the_revocation_no_older_session_of_the_role_succeeds(journal: Journal, records: list[Fields]) -> None:
    (revocation,) = [r for r in records if _at(r, "requestParameters", "policyName") == "AWSRevokeOlderSessions"]
    cutoff = str(revocation["eventTime"])
    role = journal.estate.roles["orders-api"].arn
    late = [
        record
        for record in records
        if _at(record, "userIdentity", "sessionContext", "sessionIssuer", "arn") == role
        and str(record["eventTime"]) > cutoff
        and str(_at(record, "userIdentity", "sessionContext", "attributes", "creationDate")) < cutoff
    ]
    assert len(late) >= 3
    assert {record.get("errorCode") for record in late} == {"AccessDenied"}
    assert cutoff[:19] in str(_at(revocation, "requestParameters", "policyDocument"))


def test_only_the_stolen_key_is_used_away_from_its_siblings(journal: Journal, records: list[Fields]) -> None:
    """No other role's sessions come from more than one address, so that no other story looks like a theft."""
    origins: dict[object, set[object]] = {}
    for record in records:
        role = _at(record, "userIdentity", "sessionContext", "sessionIssuer", "arn")
        if role is not None and _at(record, "userIdentity", "invokedBy") is None:
            origins.setdefault(role, set()).add(record["sourceIPAddress"])
    several = {role: found for role, found in origins.items() if len(found) > 1}
    assert several == {journal.estate.roles["orders-api"].arn: {THIEF, journal.estate.main.address}}


def test_the_ended_instance_goes_on_getting_keys_and_using_them(journal: Journal, records: list[Fields]) -> None:
    (end,) = _named(records, "TerminateInstances")
    late = _story(journal, "renewed after end").keys
    assert len(late) == 3
    for key in late:
        issue = _issue(records, key)
        assert str(issue["eventTime"]) > str(end["eventTime"])
        assert _at(issue, "requestParameters", "roleSessionName") == journal.estate.orders[2].id
        assert _uses(records, key)


def test_the_deleted_roles_key_succeeds_past_propagation(journal: Journal, records: list[Fields]) -> None:
    (end,) = _named(records, "DeleteRole")
    (key,) = _story(journal, "deleted role").keys
    after = [r for r in _uses(records, key) if str(r["eventTime"]) > str(end["eventTime"]) and "errorCode" not in r]
    assert [str(record["eventTime"])[11:19] for record in after] == ["13:10:30", "13:20:05"]
    assert str(_issue(records, key)["eventTime"]) < str(end["eventTime"])


def test_the_ended_key_is_refused_after_each_end(journal: Journal, records: list[Fields]) -> None:
    (key,) = _story(journal, "ended key").keys
    (inactive,), (deleted,) = _named(records, "UpdateAccessKey"), _named(records, "DeleteAccessKey")
    assert {_at(record, "requestParameters", "accessKeyId") for record in (inactive, deleted)} == {key}
    after = [r for r in _uses(records, key) if str(r["eventTime"]) > str(inactive["eventTime"])]
    assert [r.get("errorCode") for r in after] == ["InvalidClientTokenId"] * 2
    assert str(after[0]["eventTime"]) < str(deleted["eventTime"]) < str(after[1]["eventTime"])


def test_the_unexplained_key_says_it_was_made_while_the_logs_ran(journal: Journal, records: list[Fields]) -> None:
    (key,) = _story(journal, "unexplained key").keys
    created = {_at(r, "userIdentity", "sessionContext", "attributes", "creationDate") for r in _uses(records, key)}
    assert created == {"2026-03-02T10:15:00Z"}
    assert min(str(record["eventTime"]) for record in records) < "2026-03-02T10:15:00Z"
    assert key not in journal.issued


def test_people_have_logins_and_console_keys(journal: Journal, records: list[Fields]) -> None:
    logins = [r for r in _named(records, "ConsoleLogin") if _at(r, "responseElements", "ConsoleLogin") == "Success"]
    moments = {(_at(r, "userIdentity", "principalId"), r["eventTime"]) for r in logins}
    keys = _story(journal, "consoles").keys
    flagged = {key for key in keys if any("sessionCredentialFromConsole" in r for r in _uses(records, key))}
    assert len(logins) == 2
    assert 0 < len(flagged) < len(keys)
    for key in keys:
        for use in _uses(records, key):
            created = _at(use, "userIdentity", "sessionContext", "attributes", "creationDate")
            assert (_at(use, "userIdentity", "principalId"), created) in moments
            assert use["sourceIPAddress"] == OFFICE


def test_each_forward_access_session_has_one_parent_beside_it_but_the_orphan(
    journal: Journal, records: list[Fields]
) -> None:
    (orphan,) = _story(journal, "orphan forward access").keys
    times: Counter[int] = Counter()
    keys: dict[tuple[object, object], set[object]] = {}
    for record in records:
        identity = record["userIdentity"]
        key = _at(identity, "accessKeyId")
        if key is not None and _at(identity, "invokedBy") is None:
            keys.setdefault((_at(identity, "principalId"), record["eventTime"]), set()).add(key)
    for key in journal.forward:
        for use in _uses(records, key):
            parents = keys.get((_at(use, "userIdentity", "principalId"), use["eventTime"]), set())
            times[len(parents)] += 1
            assert (len(parents) == 0) == (key == orphan)
    assert set(times) <= {0, 1}


def test_pods_are_bound_by_tags_and_asked_for_by_their_node(journal: Journal, records: list[Fields]) -> None:
    issues = [
        r for r in _named(records, "AssumeRole") if _at(r, "userIdentity", "invokedBy") == "pods.eks.amazonaws.com"
    ]
    asked = _named(records, "AssumeRoleForPodIdentity")
    assert len(issues) == len(asked) == 6
    assert {issue["eventTime"] for issue in issues} == {ask["eventTime"] for ask in asked}
    for issue in issues:
        tags = _at(issue, "requestParameters", "tags")
        assert isinstance(tags, list)
        assert {"kubernetes-pod-uid", "eks-cluster-arn"} <= {tag["key"] for tag in tags}
        assert len(str(_at(issue, "requestParameters", "roleSessionName"))) <= 64
    node = {str(_at(ask, "userIdentity", "accessKeyId")) for ask in asked}
    assert all(journal.issued[key] is Population.MACHINE for key in node)


def test_deployments_start_from_a_web_identity_and_the_last_is_too_long(
    journal: Journal, records: list[Fields]
) -> None:
    runs = _named(records, "AssumeRoleWithWebIdentity")
    lives = [_at(record, "requestParameters", "durationSeconds") for record in runs]
    (key,) = _story(journal, "long deployment").keys
    assert lives == [3600, 3600, 3600, 7200]
    assert _at(runs[-1], "responseElements", "credentials", "accessKeyId") == key
    assert "ttl: 1h" in CONTRACT


def test_provider_internal_sessions_show_no_key_at_use(journal: Journal, records: list[Fields]) -> None:
    internal = {key for key, population in journal.issued.items() if population is Population.PROVIDER}
    roles = {str(_at(_issue(records, key), "requestParameters", "roleArn")) for key in internal}
    assert len(internal) == 16
    assert all(":role/aws-service-role/" in role for role in roles)
    assert not internal & journal.used


def test_no_key_works_after_it_expired(journal: Journal, records: list[Fields]) -> None:
    months = {"Mar": 3}
    for key in sorted(journal.used & journal.issued.keys()):
        text = _at(_issue(records, key), "responseElements", "credentials", "expiration")
        if text is not None:
            found = re.fullmatch(r"(\w+) (\d+), 2026,? (\d+):(\d\d):(\d\d) ([AP]M)", str(text))
            assert found is not None
            month, day, hour, minute, second, half = found.groups()
            clock = f"{int(hour) % 12 + 12 * (half == 'PM'):02}:{minute}:{second}"
            expires = f"2026-{months[month]:02}-{int(day):02}T{clock}Z"
            assert max(str(use["eventTime"]) for use in _uses(records, key)) < expires


def test_keys_are_never_used_before_they_are_issued(journal: Journal, records: list[Fields]) -> None:
    for key in journal.used & journal.issued.keys():
        issued = str(_issue(records, key)["eventTime"])
        assert all(str(use["eventTime"]) >= issued for use in _uses(records, key))


def test_event_ids_are_distinct_and_well_formed(records: list[Fields]) -> None:
    ids = {str(record["eventID"]) for record in records}
    assert len(ids) == len(records)
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in ids)


def test_denied_calls_give_nothing_back(records: list[Fields]) -> None:
    refused = [record for record in records if "errorCode" in record]
    assert len(refused) >= 8
    assert all(record["responseElements"] is None for record in refused)


def test_grants_change(records: list[Fields]) -> None:
    actions = Counter(str(record["eventName"]) for record in records)
    for action in ("CreateRole", "AttachRolePolicy", "UpdateAssumeRolePolicy", "PutRolePolicy", "CreateUser"):
        assert actions[action] >= 1
    assert actions["CreateAccessKey"] == 2


def test_stories_say_what_should_be_found(journal: Journal) -> None:
    by_name = {story.name: story for story in journal.stories}
    assert by_name["stolen key"].severity is Severity.HIGH
    assert by_name["ended key"].state is State.PROVED
    assert {name for name, story in by_name.items() if story.rule is None} == {"consoles", "orphan forward access"}
    assert {name for name, story in by_name.items() if story.needs_contract} == {"long deployment"}


def test_truth_finds_a_story_by_name_and_no_other() -> None:
    story = Story(name="one", text="", keys=())
    truth = Truth(
        files=(),
        records=0,
        understood=0,
        skips=0,
        duplicates=0,
        issued=(),
        used=(),
        joined=(),
        forward_access=(),
        populations={},
        unissued={},
        tokens=(),
        stories=(story,),
        contract="",
    )
    assert truth.story("one") is story
    with pytest.raises(KeyError):
        truth.story("two")


def test_half_days_are_spelled_as_issuers_do() -> None:
    assert spelled(at("00:05:09"), comma=True) == "Mar 2, 2026, 12:05:09 AM"
    assert spelled(at("12:00:00"), comma=False) == "Mar 2, 2026 12:00:00 PM"
    assert spelled(at("23:59:59"), comma=True) == "Mar 2, 2026, 11:59:59 PM"


def test_an_inventor_gives_keys_that_share_their_accounts_stem() -> None:
    inventor = Inventor(3)
    one, two = inventor.key("ASIA", "111122223333"), inventor.key("AKIA", "111122223333")
    other = inventor.key("ASIA", "444455556666")
    assert one[4:12] == two[4:12] != other[4:12]
    assert one[12:] != two[12:]
