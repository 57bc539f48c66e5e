"""Trust policies (C2SP tlog-policy): read strictly, written as read, and meant."""

import pytest

from custody.errors import LogError
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.cosignature import Cosigner, with_signatures
from custody.ledger.merkle import EMPTY_ROOT
from custody.ledger.note import Signer, sign
from custody.ledger.policy import Group, Policy, accept, format_policy, of_log, parse_policy, satisfied

LOG = Signer("example.com/log", bytes(32))
OTHER = Signer("example.com/other", bytes(31) + b"x")
WITNESSES = [Cosigner(f"example.com/w{number}", bytes([number]) * 32) for number in range(1, 5)]
X1, X2, Y1, Y2 = (witness.witness.vkey for witness in WITNESSES)
TWO_LEVELS = f"""\
# a comment, then an empty line

  log\t{LOG.vkey}   https://example.com/log
witness X1 {X1}
witness X2 {X2} https://example.com/x2/
group X 2 X1 X2
witness Y1 {Y1}
witness Y2 {Y2}
\t# indented
group Y any Y1 Y2
group both all X Y
quorum both
""".encode()
POINT = Checkpoint(LOG.name, 0, EMPTY_ROOT)


def cosigned(*witnesses: Cosigner) -> bytes:
    note = sign(POINT.text(), [LOG])
    return with_signatures(note, tuple(each.cosign(POINT.text(), 1_772_000_000) for each in witnesses))


def test_two_levels_are_read_and_written() -> None:
    policy = parse_policy(TWO_LEVELS)

    assert policy.groups == (Group("X", 2, ("X1", "X2")), Group("Y", 1, ("Y1", "Y2")), Group("both", 2, ("X", "Y")))
    assert (policy.quorum, policy.logs[0].url, policy.witnesses[1].url) == (
        "both",
        "https://example.com/log",
        "https://example.com/x2/",
    )
    again = format_policy(policy)
    assert parse_policy(again) == policy
    assert format_policy(parse_policy(again)) == again


@pytest.mark.parametrize(
    ("held", "enough"),
    [((), False), (("X1", "X2"), False), (("X1", "Y1"), False), (("X1", "X2", "Y2"), True), (("Y1", "Y2"), False)],
)
def test_a_quorum_counts_groups(held: tuple[str, ...], enough: bool) -> None:
    assert satisfied(parse_policy(TWO_LEVELS), held) is enough


def test_a_checkpoint_is_accepted_with_its_quorum_only() -> None:
    policy = parse_policy(TWO_LEVELS)

    assert accept(policy, cosigned(*WITNESSES[:3])) == POINT
    with pytest.raises(LogError, match="did not cosign"):
        accept(policy, cosigned(*WITNESSES[1:]))
    with pytest.raises(LogError, match="did not cosign"):
        accept(policy, sign(POINT.text(), [LOG]))


def test_a_wrong_cosignature_of_a_known_witness_is_not_overlooked() -> None:
    note = cosigned(*WITNESSES)
    other = Checkpoint(LOG.name, 1, bytes(32))
    lines = cosigned(WITNESSES[3]).split(b"\n")
    forged = sign(other.text(), [LOG]) + lines[-2] + b"\n"

    assert accept(of_log(LOG.vkey), note) == POINT
    with pytest.raises(LogError, match="cosignature is wrong"):
        accept(parse_policy(f"log {LOG.vkey}\nwitness w {Y2}\nquorum none\n".encode()), forged)


def test_another_log_is_not_accepted() -> None:
    with pytest.raises(LogError, match="not signed by a known key"):
        accept(of_log(OTHER.vkey), sign(POINT.text(), [LOG]))
    with pytest.raises(LogError, match="the log itself did not sign"):
        accept(of_log(OTHER.vkey), sign(POINT.text(), [OTHER]))


def test_the_policy_of_one_log() -> None:
    assert format_policy(of_log(LOG.vkey)) == f"log {LOG.vkey}\nquorum none\n".encode()
    assert parse_policy(b"quorum none\n") == Policy(logs=())


def test_names_are_octets() -> None:
    policy = parse_policy(b"witness \xe2\x84\xaa\xff " + X1.encode() + b"\nquorum \xe2\x84\xaa\xff\n")

    assert parse_policy(format_policy(policy)) == policy
    with pytest.raises(LogError):
        parse_policy(b"witness \xe2\x84\xaa " + X1.encode() + b"\nquorum K\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"log {LOG.vkey}\n",
        f"log {LOG.vkey}\nquorum none",
        "quorum none\nquorum none\n",
        "quorum W\n",
        f"quorum W\nwitness W {X1}\n",
        f"log {LOG.vkey}\nlog {LOG.vkey}\nquorum none\n",
        f"witness A {X1}\nwitness B {X1}\nquorum none\n",
        f"witness A {X1}\nwitness A {X2}\nquorum none\n",
        f"witness none {X1}\nquorum none\n",
        f"log {X1}\nquorum none\n",
        f"witness A {LOG.vkey}\nquorum none\n",
        f"witness A {X1}\ngroup G 2 A\nquorum G\n",
        f"witness A {X1}\ngroup G 0 A\nquorum G\n",
        f"witness A {X1}\ngroup G 01 A\nquorum G\n",
        f"witness A {X1}\ngroup G some A\nquorum G\n",
        f"witness A {X1}\ngroup G any\nquorum G\n",
        f"witness A {X1}\ngroup G any A A\nquorum G\n",
        f"witness A {X1}\ngroup G any A B\nquorum G\n",
        f"witness A {X1}\ngroup G any A\ngroup H any A\nquorum G\n",
        "group G any G\nquorum G\n",
        f"log {LOG.vkey[:-4]}AAAA\nquorum none\n",
        f"log {LOG.vkey} https://a https://b\nquorum none\n",
        f"log {LOG.vkey}\r\nquorum none\n",
        f"log {LOG.vkey}\x00\nquorum none\n",
        f"LOG {LOG.vkey}\nquorum none\n",
        f"log\u00a0{LOG.vkey}\nquorum none\n",
        "permit everything\nquorum none\n",
        "quorum none none\n",
    ],
)
def test_what_the_specification_does_not_allow_is_refused(text: str) -> None:
    with pytest.raises(LogError):
        parse_policy(text.encode())


def test_a_policy_that_would_not_be_read_is_not_written() -> None:
    with pytest.raises(LogError):
        format_policy(Policy(logs=(), quorum="nobody"))


def test_there_is_an_end_to_a_policy() -> None:
    with pytest.raises(LogError):
        parse_policy(b"#" * 1_000_001 + b"\nquorum none\n")
    many = "".join(f"witness w{n} {Cosigner('w', n.to_bytes(32, 'big')).witness.vkey}\n" for n in range(1001))
    with pytest.raises(LogError, match="too long"):
        parse_policy(f"{many}quorum none\n".encode())
