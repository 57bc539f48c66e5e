import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import UsageError
from custody.settings.origins import canonical_origin


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("3.225.16.109", "3.225.16.109"),
        ("3.225.16.109/32", "3.225.16.109"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("::ffff:3.225.16.109", "3.225.16.109"),
        ("::FFFF:3E1:106D", "3.225.16.109"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:0db8::/48", "2001:db8::/48"),
        ("ec2.amazonaws.com", "ec2.amazonaws.com"),
        ("EC2.amazonaws.COM", "ec2.amazonaws.com"),
        ("AWS Internal", "AWS Internal"),
    ],
)
def test_an_origin_has_one_form(text: str, canonical: str) -> None:
    assert canonical_origin(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "foo",
        "10.0.0.300",
        "1.2.3",
        "010.0.0.1",
        "10.0.0.0/33",
        "fe80::1%eth0",
        "a b.com",
        "*.amazonaws.com",
        "-a.com",
        "a..com",
        "10.0.0.1 ",
        "http://a.com",
        "a.com/8",
        "a.com\n",
        "aws internal",
        "a" * 300 + ".com",
    ],
)
def test_other_texts_are_no_origins(text: str) -> None:
    with pytest.raises(UsageError, match="not an origin") as caught:
        canonical_origin(text)
    assert "10.0.0.0/8" in caught.value.expected


def test_an_address_with_a_mask_names_the_network_that_may_be_meant() -> None:
    with pytest.raises(UsageError, match="not an origin") as caught:
        canonical_origin("10.0.0.1/8")
    assert caught.value.advice == "the network of that address is 10.0.0.0/8"


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "::ffff:0:0/96"])
def test_a_network_of_all_addresses_explains_nothing_and_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="every address"):
        canonical_origin(text)


@given(st.ip_addresses())
def test_the_form_of_an_address_is_stable_and_means_the_same(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    form = canonical_origin(str(address))
    assert canonical_origin(form) == form
    meant = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert ipaddress.ip_address(form) == (meant or address)


@given(st.text(alphabet="0123456789abcdefABCDEF:./%-_ x", max_size=50))
def test_any_text_is_an_origin_with_a_stable_form_or_a_usage_error(text: str) -> None:
    try:
        form = canonical_origin(text)
    except UsageError:
        return
    assert canonical_origin(form) == form
