"""The HTML report: one file, whole, that loads nothing and runs nothing, whatever the logs say."""

import html as html_entities
import re
import time
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given, settings

from custody.model.report import Chain
from custody.model.verdicts import Borne, Question
from custody.reports.html import POLICY, render
from custody.reports.safe import plain
from custody.reports.words import PROMISE
from tests.reports.hostile import HIDDEN, poisoned, text
from tests.reports.sample import empty_report, sample_report
from tests.reports.sample_annex import cover, sample_annex
from tests.reports.sample_chains import HOSTILE, many_chains, sample_chains
from tests.reports.sample_systems import certificates, clocks, database_chain, scope

VOID = {"meta", "br", "hr", "img", "input", "link", "col"}
MEGABYTE = 1_000_000


class Page(HTMLParser):
    """What a parser makes of a page: tags that do not balance, attributes, ids, and the text in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


@pytest.fixture(scope="module")
def page() -> str:
    return render(sample_report(), sample_chains()).decode()


@pytest.fixture(scope="module")
def parsed(page: str) -> Page:
    return Page(page)


def test_every_tag_is_closed_in_order(parsed: Page) -> None:
    assert parsed.wrong == []
    assert parsed.open == []


def test_it_is_a_whole_document_with_landmarks_headings_and_captions(parsed: Page) -> None:
    for tag in ("html", "head", "title", "body", "header", "nav", "main", "footer", "h1", "section", "svg"):
        assert tag in parsed.tags, tag
    assert parsed.tags.count("h1") == 1
    assert parsed.tags.count("caption") == parsed.tags.count("table")
    assert ("html", "lang", "en") in parsed.attributes
    assert ("a", "href", "#main") in parsed.attributes
    assert len(re.findall(r'role="img" aria-label="[^"]', "".join(f'{n}="{v}" ' for _, n, v in parsed.attributes))) == 5


def test_no_script_no_form_no_frame_and_no_handler(parsed: Page) -> None:
    assert {"script", "iframe", "form", "object", "embed", "img", "link", "base", "input", "button"} & set(
        parsed.tags
    ) == set()
    assert [name for _, name, _ in parsed.attributes if name.startswith("on")] == []


def test_nothing_refers_to_anything_outside_of_the_file(page: str, parsed: Page) -> None:
    references = [
        value for _, name, value in parsed.attributes if name in ("src", "href", "xlink:href", "srcset", "action")
    ]
    urls = re.findall(r"url\(([^)]*)\)", page)

    assert references
    assert [value for value in references if not value.startswith("#")] == []
    assert set(urls) == {"#hatch"}
    assert "@import" not in page
    assert "http:" not in page
    assert "https:" not in page


def test_every_inner_link_has_its_target_and_every_id_is_there_once(parsed: Page) -> None:
    ids = parsed.values("id")

    assert len(ids) == len(set(ids))
    assert {value[1:] for value in parsed.values("href")} <= set(ids)


def test_the_policy_forbids_all_but_the_styles_in_the_file(parsed: Page) -> None:
    assert ("meta", "http-equiv", "Content-Security-Policy") in parsed.attributes
    assert POLICY in parsed.values("content")
    assert "default-src 'none'" in POLICY
    assert "script-src" not in POLICY


def test_every_finding_and_every_chain_is_in_it_with_its_evidence(page: str, parsed: Page) -> None:
    ids = set(parsed.values("id"))

    assert {finding.id for finding in sample_report().findings} <= ids
    assert {chain.credential for chain in sample_chains()} <= ids
    assert "operations:810 812 900 1190 1204 1220 1310 1311 …" in page
    for step in (step for chain in sample_chains() for step in chain.stages):
        assert f"operations:{step.leaf.index}" in page
        assert step.event in page


def test_the_first_page_says_scope_meaning_coverage_and_what_to_do(page: str) -> None:
    for words in (
        "2 high findings; 0 of 6 machine chains complete.", "no orchestrator was read",
        "What <em>proved</em> means here",
        "owner, purpose: no contract or register yet", "What to do first", "a contract with owner and purpose",
        "It settles 12 answers", "Not read", "other regions", *(question.value for question in Question),
    ):  # fmt: skip
        assert words in page, words


def test_the_last_page_says_how_to_check_it_without_us(page: str) -> None:
    for words in (
        PROMISE, "custody verify --vkey", "golang.org/x/mod/sumdb/note", "golang.org/x/mod/sumdb/tlog", "tlog-tiles",
        "fsck --storage_url=file:///STORE/logs/operations", "--origin=custody.local/operations/6f1d2c",
        "3kFqT0yJH0Wk5c0mJ7pZs0kqO3iK4c2a1bqv0l9yZ1Q=", "2,957 leaves", "A root check alone is not a full audit",
    ):  # fmt: skip
        assert words in page, words


def test_hostile_values_are_shown_and_do_nothing(page: str, parsed: Page) -> None:
    assert "<script" not in page
    assert HIDDEN.search(page) is None
    assert plain(HOSTILE) in "".join(parsed.words)
    assert "{{ 7*7 }}" in page
    assert [value for value in parsed.values("title") if plain(HOSTILE) in value]


@settings(max_examples=25, deadline=None)
@given(text)
def test_no_text_of_a_log_changes_the_structure_of_the_page(poison: str) -> None:
    report, chains = sample_report(), [poisoned(chain, "x") for chain in sample_chains()[:2]]
    quiet = Page(render(poisoned(report, "x"), chains).decode())
    raw = render(poisoned(report, poison), [poisoned(chain, poison) for chain in sample_chains()[:2]]).decode()
    found = Page(raw)

    assert HIDDEN.search(raw) is None
    assert found.wrong == []
    assert found.open == []
    assert set(found.tags) <= set(quiet.tags)
    assert {name for _, name, _ in found.attributes} <= {name for _, name, _ in quiet.attributes} | {"title", "open"}
    assert [value for value in found.values("href") if not value.startswith("#")] == []


def test_long_values_lose_their_middle_and_keep_it_in_a_title() -> None:
    report = sample_report()
    long = "aws_arn:1:arn:aws:iam::1:role/" + "path/" * 60 + "end"
    finding = msgspec.structs.replace(report.findings[0], subject=long)
    page = render(msgspec.structs.replace(report, findings=(finding,)), ()).decode()

    assert f'title="{long}"' in page
    assert f">{long}<" not in page


def test_an_audit_of_nothing_gives_a_page_that_says_so() -> None:
    page = render(empty_report(), ()).decode()
    parsed = Page(page)

    assert parsed.wrong == []
    assert "No findings; no machine credential was seen." in page
    assert "Nothing was read." in page
    assert "nothing is sealed" in page
    assert "No chain was given to this report." in page


def test_a_percentage_stands_beside_its_counts_and_only_where_there_is_one() -> None:
    report = sample_report()
    ratio = msgspec.structs.replace(report.coverage.chains, count=3, of=6, why="")
    coverage = msgspec.structs.replace(report.coverage, chains=ratio)
    page = render(msgspec.structs.replace(report, coverage=coverage), ()).decode()

    assert re.search(r'3 <span class="of">of 6</span> <span class="share">50 %</span>', page)
    assert page.count('class="share"') == 2


def test_questions_that_no_rule_judged_share_one_line(page: str) -> None:
    rows = re.findall(r'<th scope="row">not judged yet</th><td colspan="2">([^<]*)</td>', page)

    assert rows == ["decided by which policy"] * 5
    assert page.count('<th scope="row">decided by which policy</th>') == 0


def test_where_all_chains_are_shown_there_is_no_rest() -> None:
    report = msgspec.structs.replace(sample_report(), credentials={"machine": 4, "unknown": 1})

    assert "All are shown." in render(report, sample_chains()).decode()
    assert "The rest:" in render(report, sample_chains()[:2]).decode()


def test_no_more_than_200_chains_are_shown_and_the_rest_is_counted() -> None:
    report = msgspec.structs.replace(sample_report(), credentials={"machine": 9000, "person": 12})
    chains = [msgspec.structs.replace(many_chains()[0], credential=f"c-{n}", stages=()) for n in range(230)]
    page = render(report, chains).decode()

    assert "200 of 9,012 credentials" in page
    assert 'id="c-199"' in page
    assert 'id="c-200"' not in page
    assert "custody trace ROLE" in page


def test_200_chains_of_40_steps_take_a_few_megabytes_and_seconds() -> None:
    chains: tuple[Chain, ...] = many_chains()
    started = time.perf_counter()
    written = render(sample_report(), chains)
    taken = time.perf_counter() - started

    assert sum(len(chain.stages) for chain in chains) == 8000
    assert len(written) < 6 * MEGABYTE
    assert taken < 20


def test_it_has_ways_for_dark_print_narrow_and_keyboard(page: str) -> None:
    for words in (
        "prefers-color-scheme: dark", "@media print", "break-before: page", "max-width: 44rem", ":focus-visible",
        "prefers-reduced-motion", 'class="skip"', 'name="viewport"',
    ):  # fmt: skip
        assert words in page, words


def test_states_are_told_by_mark_and_word_not_by_colour_alone(page: str) -> None:
    for mark, word in (("✔", "proved"), ("✗", "violated"), ("?", "unproven"), ("…", "open"), ("–", "n/a")):
        assert f'<span class="mark" aria-hidden="true">{mark}</span>{word}</span>' in page
    assert html_entities.escape("8 proved, 1 violated, 4 unproven, 2 n/a") in page


@pytest.fixture(scope="module")
def estate() -> str:
    """The page of an estate of several systems."""
    report = msgspec.structs.replace(sample_report(), scope=scope(), certificates=certificates(), clocks=clocks())
    return render(report, (database_chain(),)).decode()


def test_what_was_not_seen_stands_on_the_first_page_with_the_clocks(estate: str) -> None:
    first = estate[: estate.index('id="findings"')]

    for words in (
        "What was not seen", "a request line for each response line", "and 3 more problems",
        "call 5d87d991-0000-4000-8000-000000000003 has no request line", "proved whole 2026-11-22 11:00–12:00",
        "12 valid", "0 not checked", "vault.audit is 0.008 s ahead of postgresql, 0.500 s at most",
        "by 32 records made in both",
    ):  # fmt: skip
        assert words in first, words
    assert first.count("made in both") == 1


def test_without_certificates_nothing_is_said_to_be_whole(page: str) -> None:
    assert "What was not seen" not in page
    assert 'id="clocks"' not in page


def test_event_classes_and_regions_are_columns_only_where_a_cloud_was_read(estate: str) -> None:
    alone = msgspec.structs.replace(scope(), read=scope().read[:3])
    without = render(msgspec.structs.replace(sample_report(), scope=alone), ()).decode()

    assert "Event classes" in estate
    assert "approle" not in estate
    assert "Event classes" not in without
    assert Page(without).wrong == []


def test_a_chain_over_several_systems_says_what_each_name_is_and_how_each_is_joined(estate: str) -> None:
    words = " ".join(" ".join(Page(estate).words).split())

    for said in (
        "Database role v-kubernet-app-UguiIuEgGoBmQ3Dy2ch0-1795351442", "hashed name 87cbf0be87cbf0",
        "lease database/cre",
        "Vault token aqXSnLsH6hnv35NeyAF9iPWe exact, by vault parent, operations:155",
        "Kubernetes credential JTI=414f04fd-0000-4000-8000-00000000c001 inferred, by token review, operations:133",
        "pod 2b1d0c5e-0000-4000-8000-00000000a001 bounded",
        "at the source until 2026-12-22 12:44:02 UTC: then postgresql forgets it",
        "2026-11-22 12:44:02 – 13:44:07 UTC", "12:44:02.227 issue", "until 13:44:07 (1 h 4 s)",
        "told use: chat payments-agent", "exact, self-reported", "approved by mona, through the run",
    ):  # fmt: skip
        assert said in words, said
    assert estate.count('<tr class="told">') == 1
    assert Page(estate).wrong == []


def test_the_drawing_shows_sessions_runs_approvals_candidates_and_clocks(estate: str) -> None:
    for shape in (
        'class="session" x=', 'class="run" x=', 'class="unsure" x=', 'href="#m-approve"', 'href="#m-candidate"',
        'href="#m-told"', 'href="#m-refresh"', 'class="link told"', 'class="link bounded"', 'class="link inferred"',
    ):  # fmt: skip
        assert shape in estate[estate.index('<figure class="timeline">') :], shape


@settings(max_examples=15, deadline=None)
@given(text)
def test_hostile_text_in_the_names_of_several_systems_does_nothing(poison: str) -> None:
    report = msgspec.structs.replace(sample_report(), scope=scope(), certificates=certificates(), clocks=clocks())
    report = msgspec.structs.replace(poisoned(report, poison), findings=())
    timed = database_chain().stages
    chain = msgspec.structs.replace(poisoned(database_chain(), poison), credential="c-1", findings=())
    stages = tuple(
        msgspec.structs.replace(each, time=was.time, stage=was.stage, asserter=was.asserter)
        for each, was in zip(chain.stages, timed, strict=True)
    )
    chain = msgspec.structs.replace(chain, stages=stages)
    found = Page(render(report, (chain,)).decode())

    assert found.wrong == []
    assert "script" not in found.tags
    assert HIDDEN.search("".join(found.words)) is None


@pytest.fixture(scope="module")
def register() -> str:
    """The page with a register, exceptions, anchors and controls."""
    return render(sample_report(), sample_chains(), sample_annex()).decode()


@pytest.fixture(scope="module")
def pack() -> str:
    """The page of a pack."""
    return render(sample_report(), sample_chains(), msgspec.structs.replace(sample_annex(), cover=cover())).decode()


@pytest.mark.parametrize("name", ["register", "pack"])
def test_the_annex_leaves_the_page_whole_and_alone(name: str, request: pytest.FixtureRequest) -> None:
    page = request.getfixturevalue(name)
    parsed = Page(page)
    ids = parsed.values("id")

    assert (parsed.wrong, parsed.open) == ([], [])
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in parsed.values("href")} <= set(ids)
    assert parsed.tags.count("caption") == parsed.tags.count("table")
    assert HIDDEN.search(page) is None
    assert "<script" not in page


def test_the_register_says_who_says_what_and_what_is_missing(register: str) -> None:
    for words in (
        "signed by the owner, document payments", "signed by ann@example.com, team:payments, who may not say it",
        "from 2026-01-01, through 2026-12-31, known since 2026-01-05 10:00:08 UTC", "declared, contract deploy",
        "owner contradicted", "privileges not known", "no owner", "2 of 1,234 identities",
        "27 seen, issue of 27 recorded, 4 alive, 2 ended, 0 renewed", "lives 15 m to 1 h, 1 without an end",
        "3 grants in the records, 1 declared", "no approval seen", "seen, not declared", "declared, never seen",
        "signed by nobody: what it says is claimed by", "and 2 more:",
    ):  # fmt: skip
        assert words in register, words


def test_what_holds_and_who_may_say_it_stands_first(register: str) -> None:
    body = register[register.index('id="identity-1"') :]

    assert body.index("team:payments") < body.index("team:release") < body.index("ben@example.com")
    assert register.index('href="#identity-1"') < register.index('href="#identity-2"')


def test_exceptions_say_until_when_and_which_ran_out(register: str) -> None:
    assert "no OIDC in the scheduler (watched by flow logs)" in register
    assert re.search(r"2027-03-31</td>", register)
    assert re.search(r'2026-01-31 <span class="chip violated">ran out</span>', register)


def test_controls_stand_by_catalogue_with_counts_and_none_is_said_to_be_met(register: str) -> None:
    section = register[register.index('id="controls"') : register.index('id="register"')]
    row = re.search(r'<span class="v">NHI2:2025</span></th><td>[^<]*</td><td class="n[^"]*">(\d+)</td>', section)

    assert row is not None
    assert int(row.group(1)) >= 1
    assert section.index("OWASP NHI Top 10 2025") < section.index("NIST SP 800-53 r5") < section.index("PCI DSS 4.0.1")
    assert "No finding bears on" in section
    assert "is not thereby met" in section


def test_suppressed_findings_stand_with_their_end_and_bearer() -> None:
    report = sample_report()
    borne = Borne(owner="team:payments", reason="known until the move", until="2027-01-01T00:00:00Z")
    hidden = msgspec.structs.replace(report.findings[0], id="f-borne", suppressed=borne)
    page = render(msgspec.structs.replace(report, suppressed=(hidden,)), ()).decode()

    assert "Suppressed by the contract: 1" in page
    assert "2026-12-31" in page
    assert "team:payments: known until the move" in page


def test_sealed_anchors_are_named_and_not_said_to_be_checked(page: str, register: str) -> None:
    assert "cosigned by the witness" in register
    assert "over the first 2,000 leaves" in register
    assert "This page did not check them." in register
    assert "It is not anchored elsewhere" not in register
    assert "It is not anchored elsewhere" in page


def test_the_first_page_of_a_pack_says_for_whom_what_of_whom_and_what_it_shows_not(pack: str) -> None:
    first = pack[: pack.index('id="findings"')]
    for words in (
        "Evidence pack", "Example Audit Ltd", "control NHI7; a sample of 4, seed 2026-Q1",
        "<strong>4</strong> of 157 credentials", "credentials that these rules look at: end-effective",
        "2026-Q1", "of 40 in the population", "140 records and statements", "every entry in the pack is in the log",
        "that there are no other records", "custody verify FILE.zip --vkey KEY", "Verdicts over 3 machine credentials",
        "Of the whole store, not of this pack alone.",
    ):  # fmt: skip
        assert words in first, words
    assert "runs with a chain" not in first


def test_the_last_page_of_a_pack_is_about_the_pack(page: str, pack: str) -> None:
    last = pack[pack.index('id="evidence"') :]

    assert "proofs/1204.tlog-proof" in last
    assert "custody verify --vkey FILE --against" not in last
    assert "proofs/1204.tlog-proof" not in page


@settings(max_examples=10, deadline=None)
@given(text)
def test_no_text_of_a_document_changes_the_structure_of_the_page(poison: str) -> None:
    quiet = Page(render(sample_report(), (), poisoned(sample_annex(), "x")).decode())
    raw = render(sample_report(), (), poisoned(sample_annex(), poison)).decode()
    found = Page(raw)

    assert HIDDEN.search(raw) is None
    assert (found.wrong, found.open) == ([], [])
    assert set(found.tags) <= set(quiet.tags) | {"code"}
    assert [value for value in found.values("href") if not value.startswith("#")] == []
