"""Who approved, for whom, how long before, and who belongs to whom: what the judge makes of decisions and members."""

from pathlib import Path

import pytest

from custody.model.contracts import Approval, Contract, IdentityClass
from custody.model.register import Document, Party, SealedDocument, Signature
from custody.model.verdicts import Severity, State, Verdict
from custody.rules import approved
from custody.rules.approving import Given, Member, People, given_of
from custody.rules.packed import unframed
from tests.chains.running import derived
from tests.rules.test_judges import of

HOUR = 3_600_000_000
NEEDED = 100 * HOUR
BOB, ANN, CAROL = (f"github_user:github:{name}" for name in ("bob", "ann", "carol"))
CASE = Path(__file__).parents[1] / "cases" / "chains" / "approved_before_use"


def framed(*values: object) -> str:
    texts = ["" if value is None else str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return "".join(f"{len(text)}:{text}" for text in texts)


def decision(leaf: int = 3, **given: object) -> str:
    plain: dict[str, object] = {
        "strong": True, "effect": "approval.grant", "time": NEEDED - HOUR, "target": "t", "until": None,
        "approver": BOB, "requester": ANN, "executor": ANN, "environment": None,
    }  # fmt: skip
    return framed(leaf, *{**plain, **given}.values())


def member(
    name: str, party: str, signer: str = "", *, leaf: int = 1, exact: bool = True, ended: int | None = None
) -> str:
    return framed(leaf, exact, ended, name, party, signer)


def judged(
    approval: Approval, *given: str, members: tuple[str, ...] = (), used_for: str | None = None, skew: int = 0
) -> Verdict:
    contract = Contract(classes=(IdentityClass(name="c", match=(), approval=approval),))
    row = of(
        approved.Row, identity_class="c", needed=NEEDED, skew=skew, used_for=used_for, via="run 1", given=list(given),
        members=list(members) or None, leaves=[3],
    )  # fmt: skip
    return approved.judge(row, contract)


def test_values_come_back_whatever_is_in_them() -> None:
    assert unframed(framed("a", None, "12:3\x1f:", "é\N{DUCK}")) == ["a", "", "12:3\x1f:", "é\N{DUCK}"]
    assert given_of([decision(approver="9:x\x1f")])[0].approver == "9:x\x1f"


def test_an_approval_by_a_group_is_not_known_to_be_of_it() -> None:
    assert judged(Approval(by="group:release"), decision()).state is State.UNPROVEN
    assert judged(Approval(by="bob"), decision()).state is State.PROVED


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (member(BOB, "group:release", "ann@example.com,group:release"), State.PROVED),
        (member(BOB, "group:release"), State.UNPROVEN),
        (member(BOB, "group:release", "ann@example.com"), State.UNPROVEN),
        (member(BOB, "group:release", "group:release", leaf=4), State.UNPROVEN),
        (member(BOB, "group:release", "group:release", exact=False), State.UNPROVEN),
        (member(BOB, "group:release", "group:release", ended=NEEDED - 1), State.UNPROVEN),
        (member(BOB, "group:other", "group:release"), State.UNPROVEN),
    ],
    ids=["signed-by-it", "unsigned", "signed-by-another", "sealed-after", "by-a-name", "ended-before", "of-another"],
)
def test_a_group_that_signed_its_members_before_proves_who_belongs_to_it(known: str, wanted: State) -> None:
    verdict = judged(Approval(by="group:release"), decision(), members=(known,))

    assert verdict.state is wanted
    assert wanted is not State.PROVED or verdict.leaves == (1, 3)


def test_the_executor_may_not_approve_where_the_contract_says_so() -> None:
    asked = Approval(by="*", not_=("requester", "executor"))
    apart = judged(asked, decision(executor=CAROL))
    same = judged(asked, decision(executor=BOB))
    unknown = judged(asked, decision(executor=None))

    assert (apart.state, same.state, unknown.state) == (State.PROVED, State.VIOLATED, State.UNPROVEN)
    assert "by the executor" in same.text
    assert "the executor is not known" in unknown.text
    assert judged(Approval(by="*", not_=("requester",)), decision(executor=BOB)).state is State.PROVED


@pytest.mark.parametrize(("age", "wanted"), [(HOUR, State.PROVED), (HOUR + 1, State.VIOLATED)])
def test_an_approval_may_be_so_old_and_no_older(age: int, wanted: State) -> None:
    verdict = judged(Approval(by="*", within=HOUR), decision(time=NEEDED - age))

    assert verdict.state is wanted
    assert wanted is State.PROVED or "the contract allows 1 h" in verdict.text


def test_two_names_of_one_person_count_once() -> None:
    two = Approval(by="*", count=2)
    both = (decision(), decision(4, approver="person:jira:b.example"))
    one = (member(BOB, "bob@example.com"), member("person:jira:b.example", "bob@example.com"))
    team = (member(BOB, "team:release"), member("person:jira:b.example", "team:release"))

    apart = (member(BOB, "bob@example.com"), member("person:jira:b.example", "ben@example.com"))

    assert judged(two, *both, members=apart).state is State.PROVED
    assert judged(two, decision(), decision(4, approver=CAROL)).state is State.PROVED
    for unsure in (judged(two, *both), judged(two, *both, members=team)):
        assert (unsure.state, unsure.severity) == (State.UNPROVEN, None)
        assert "they may be fewer people" in unsure.text
    fewer = judged(two, *both, members=one)
    assert (fewer.state, fewer.severity) == (State.UNPROVEN, Severity.MEDIUM)
    assert "fewer people" in fewer.text


def test_who_asked_may_not_approve_under_another_name() -> None:
    one = (member(BOB, "person:bob"), member(ANN, "person:bob"))
    verdict = judged(Approval(by="*"), decision(), members=one)

    assert (verdict.state, verdict.severity) == (State.UNPROVEN, Severity.MEDIUM)
    assert verdict.title == "approved by the same person"


@pytest.mark.parametrize(
    ("given", "wanted", "words"),
    [
        ((decision(requester=BOB),), State.VIOLATED, "by the requester"),
        ((decision(time=NEEDED + 1),), State.VIOLATED, "after the first use"),
        ((decision(until=NEEDED - 1),), State.VIOLATED, "0 of 1"),
        ((decision(effect="approval.deny"),), State.VIOLATED, "refused"),
        ((decision(environment="staging"),), State.VIOLATED, "approved for staging, used for production"),
        ((decision(), decision(4, effect="approval.withdraw", time=NEEDED - 1)), State.VIOLATED, "0 of 1"),
        ((decision(), decision(4, effect="approval.withdraw", time=NEEDED + 1)), State.PROVED, "1 approval"),
        ((decision(), decision(4, effect="approval.withdraw", target="other")), State.PROVED, "1 approval"),
        ((decision(strong=False),), State.UNPROVEN, "which the client names"),
        ((decision(strong=False, requester=BOB),), State.UNPROVEN, "through run 1"),
        ((decision(approver=None),), State.VIOLATED, "0 of 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_approval(given: tuple[str, ...], wanted: State, words: str) -> None:
    verdict = judged(Approval(by="*"), *given, used_for="production")

    assert verdict.state is wanted
    assert words in verdict.text


def test_an_approval_that_is_late_by_less_than_the_clocks_may_be_apart_violates_nothing() -> None:
    barely, late = (judged(Approval(by="*"), decision(time=NEEDED + by), skew=60) for by in (60, 61))

    assert (barely.state, barely.severity) == (State.UNPROVEN, Severity.MEDIUM)
    assert barely.title == "approved after use"
    assert late.state is State.VIOLATED


def test_one_name_in_two_cases_may_be_one_person() -> None:
    shouted = BOB.replace("bob", "Bob")
    own = judged(Approval(by="*"), decision(approver=shouted, requester=BOB))
    twice = judged(Approval(by="*", count=2), decision(), decision(4, approver=shouted))

    assert (own.state, own.title) == (State.UNPROVEN, "approved by the same person")
    assert (twice.state, twice.severity) == (State.UNPROVEN, Severity.MEDIUM)


def test_people_are_joined_over_a_third_name() -> None:
    parties = (("a", "person:x"), ("b", "person:x"), ("b", "y@example.com"), ("c", "y@example.com"))
    known = [Member(name=name, exact=True, ended=None, leaf=1, party=party, signers=()) for name, party in parties]

    assert People(known).least(["a", "c"]) == 2
    assert People(known).least(["a", "b", "c", "d"]) == 2
    assert isinstance(given_of([decision()])[0], Given)


def test_the_members_of_a_signed_group_reach_the_judge(tmp_path: Path) -> None:
    """From the sealed document and the logs to the verdict: by the exact key of the approver."""
    contract = Contract(
        classes=(
            IdentityClass(
                name="web",
                match=(("subject", "*role/deploy"),),
                population="machine",
                approval=Approval(by="group:release", not_=("requester",)),
            ),
        )
    )
    party = Party(name="group:release", members=("github_user:github:lead",))
    signature = Signature(method="ssh", principals=("group:release",), key="SHA256:x", anchor="0" * 64)
    document = Document(name="people", digest="0" * 64, parties=(party,))
    sealed = SealedDocument(document=document, leaf=0, at=1, by="ops", signature=signature)
    files = [path.read_bytes() for path in sorted(CASE.glob("input*"))]

    with derived(tmp_path, files, contract, documents=(sealed,)) as case:
        (verdict,) = (each["approved"] for key, each in case.verdicts().items() if key.endswith("WEB"))

    assert verdict.state is State.PROVED, verdict
    assert 0 in verdict.leaves
