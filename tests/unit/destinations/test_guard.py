"""The egress guard."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from alertd.destinations.guard import EgressPolicy, is_loopback, parse_url
from alertd.destinations.ports import HTTP_PORTS, Ports
from tests.egress_corpus import Entry, addresses, urls

NOTHING_ALLOWED = EgressPolicy()

HOSTILE_HOSTS = [
    # loopback and any, in the forms that resolvers read
    *("127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.1", "0x7f.0x0.0x0.0x1"),
    *("0177.0.0.1", "017700000001", "00000177.0.0.1", "127.0.0.01", "127.0.0.1.", "0", "0.0.0.0", "0x0", "000"),  # noqa: S104 - nothing is bound
    # other digits that IDNA turns into ASCII
    *("\uff11\uff12\uff17.\uff10.\uff10.\uff11", "①②⑦.⓪.⓪.①", "127。0。0。1", "127.0.0.1\u3002"),
    # metadata services
    *("169.254.169.254", "0xA9FEA9FE", "2852039166", "0251.0376.0251.0376", "169.254.43518", "[fd00:ec2::254]"),
    *("169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "[::ffff:169.254.169.254]", "[fd20:ce::254]"),
    # private, shared, link-local, multicast, reserved
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "169.254.1.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "203.0.113.1"),
    # IPv6, and IPv4 within it
    *("[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[2606:4700::1%25lo]"),
    *("[fc00::1]", "[fdff::1]", "[fec0::1]", "[ff02::1]", "[100::1]", "[2001:db8::1]", "[2001:0:1::1]", "[5f00::1]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:10.0.0.1]", "[::127.0.0.1]", "[::10.0.0.1]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b::a00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]"),
    # numbers that are no address, which some resolver might still read
    *("256.1.1.1", "1.2.3.4.5", "0x", "foo.0x1", "999999999999", "4294967296", "1.2.3", "08.8.8.8", "127.0.0.1:80@8"),
]

HOSTILE_URLS = [
    *("", "x", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "data:,x"),
    *("http://", "http:///x", "http:example.com", "http:/example.com", "https://:443/", "http://.", "http://.../"),
    *("http://u:p@example.com/", "http://u@example.com/", "http://@example.com/", "http://:@example.com/"),
    *("http://example.com\\@127.0.0.1/", "http://127.0.0.1#@example.com/", "http://127.0.0.1?@example.com/"),
    *("http://example.com:0/", "http://example.com:65536/", "http://example.com:x/", "http://example.com:-1/"),
    *("http://exa mple.com/", "http://example.com/\r\nX: y", "http://example.com/\x00", "\thttp://example.com/"),
    *("http://example.com/a b", "http://ex\u00a0ample.com/", "http://example.com/\u2028", "http://example.com/\x7f"),
    *("http://127%2e0.0.1/", "http://ex%61mple.com/", "http://127.0.0.1%00.example.com/", "http://127.0.0.1%2f@x/"),
    *("http://[::1", "http://::1/", "http://[]/", "http://[::1]x/", "http://[127.0.0.1]/"),
    *("http://a..b/", "http://-a.b/", "http://a-.b/", "http://" + "a" * 64 + ".b/", "http://" + "a." * 130 + "b/"),
    *("http://ex$ample.com/", "http://*.example.com/", "http://a,b/", "http://a;b/", "http://a'b/"),
]

GOOD_URLS = [
    *("http://example.com", "https://example.com/x?y=z#f", "HTTPS://EXAMPLE.COM:8443/", "http://example.com./"),
    *("http://8.8.8.8/", "http://172.15.0.1/", "http://172.32.0.1/", "http://[2606:4700:4700::1111]:80/", "http://x:/"),
    *(
        "https://b\u00fccher.example/",
        "http://x_y.internal/",
        "http://localhost.example/",
        "http://[::ffff:8.8.8.8]/",
        "http://1a/",
    ),
]

V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)
SPECIAL_V6 = st.builds(
    lambda base, low: IPv6Address(int(IPv6Address(base)) | low),
    st.sampled_from(["::", "::ffff:0:0", "64:ff9b::", "::ffff:0:0:0", "fe80::", "fc00::", "ff00::"]),
    st.integers(0, 2**32 - 1),
)


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_hostile_host_is_refused(host: str) -> None:
    """No way to write a forbidden address gets past the check of the URL."""
    assert NOTHING_ALLOWED.check_url(f"http://{host}/")


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_url_is_refused(url: str) -> None:
    """What is not plainly an http or https URL of a host is refused, and the reason is one line of text."""
    reason = NOTHING_ALLOWED.check_url(url)
    assert reason
    assert reason.isprintable()


@pytest.mark.parametrize("url", GOOD_URLS)
def test_good_url_passes(url: str) -> None:
    """Public addresses and names in every usual form pass."""
    assert NOTHING_ALLOWED.check_url(url) is None


@pytest.mark.parametrize("form", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
def test_unusual_form_is_refused_even_where_the_address_is_allowed(form: str) -> None:
    """An address in an unusual form is refused with the usual one named, whatever is allowed."""
    reason = EgressPolicy(["0.0.0.0/0"]).check_url(f"http://{form}/")
    assert reason == f"host {form} is another way to write 127.0.0.1; write that"


def test_url_error_never_repeats_a_password() -> None:
    """The reason does not tell what stood in the URL."""
    assert "hunter2" not in str(NOTHING_ALLOWED.check_url("http://u:hunter2@example.com/"))


@pytest.mark.parametrize("entry", [*urls("refused"), *urls("allowed")], ids=lambda each: repr(each.text))
def test_corpus_of_urls(entry: Entry) -> None:
    """Every URL of the corpus is judged as it says, with the reason that it says."""
    reason = EgressPolicy((), Ports(HTTP_PORTS)).check_url(entry.text)
    assert (reason is not None) == entry.refused
    assert entry.says in (reason or "")
    assert "hunter2" not in (reason or "")
    assert (reason or "x").isprintable()


@pytest.mark.parametrize("entry", [*addresses("refused"), *addresses("allowed")], ids=lambda each: repr(each.text))
def test_corpus_of_addresses(entry: Entry) -> None:
    """Every address of the corpus is judged as it says when a name resolves to it."""
    assert (NOTHING_ALLOWED.check_address("hook.example", entry.text) is not None) == entry.refused


def test_size_of_the_corpus() -> None:
    """It holds at least 200 hostile ones, none of them twice."""
    for hostile in (urls("refused"), addresses("refused")):
        assert len({each.text for each in hostile}) == len(hostile)
    assert len(urls("refused")) >= 200


@pytest.mark.parametrize("name", ["localhost", "a.localhost.", "ip6-localhost"])
@pytest.mark.parametrize("allowed", ["127.0.0.1", "::1", "127.0.0.0/8"])
def test_loopback_by_name_passes_where_one_of_its_addresses_is_allowed(name: str, allowed: str) -> None:
    """Such a name is refused before it is resolved only when it can resolve to nothing else."""
    assert NOTHING_ALLOWED.check_url(f"http://{name}:22/")
    assert EgressPolicy([allowed]).check_url(f"http://{name}:22/") is None
    assert EgressPolicy([name]).check_url(f"http://{name}/") is None


PORTS = Ports("80, 443, 8000-9000")


@pytest.mark.parametrize(
    ("port", "good"), [(79, False), (80, True), (443, True), (7999, False), (8000, True), (9000, True), (9001, False)]
)
def test_ports_of_public_addresses(port: int, good: bool) -> None:
    """Public addresses may be at the ports that are named; what is allowed by name or range at any."""
    for policy in (EgressPolicy((), PORTS), EgressPolicy(["10.0.0.0/8"], PORTS)):
        assert (policy.check_address("x.example", "8.8.8.8", port) is None) == good
        assert (policy.check_url(f"http://8.8.8.8:{port}/") is None) == good
    assert (EgressPolicy((), PORTS).check_url(f"http://x.example:{port}/") is None) == good
    assert EgressPolicy(["10.0.0.0/8"], PORTS).check_url(f"http://x.example:{port}/") is None  # it may be in there
    assert EgressPolicy(["10.0.0.0/8"], PORTS).check_address("x.example", "10.1.1.1", port) is None
    assert EgressPolicy(["x.example"], PORTS).check_url(f"http://x.example:{port}/") is None
    assert EgressPolicy(["8.8.8.8"], PORTS).check_url(f"http://8.8.8.8:{port}/") is None


def test_port_says_which_there_are() -> None:
    """The reason names the port, the ones that are good, and the setting."""
    reason = EgressPolicy((), PORTS).check_url("http://8.8.8.8:25/")
    assert reason == "port 25 is none of 80, 443, 8000-9000 (egress.ports), where public addresses may be"


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("10.0.0.5", "10.0.0.5 is private"),
        ("127.0.0.1", "127.0.0.1 is loopback"),
        ("0.0.0.0", "0.0.0.0 is unspecified"),  # noqa: S104 - nothing is bound
        ("169.254.1.1", "169.254.1.1 is link-local"),
        ("169.254.169.254", "169.254.169.254 is a metadata service"),
        ("fd00:ec2::254", "fd00:ec2::254 is a metadata service"),
        ("100.64.0.1", "100.64.0.1 is shared (carrier) space"),
        ("224.0.0.1", "224.0.0.1 is multicast"),
        ("255.255.255.255", "255.255.255.255 is broadcast"),
        ("::1", "::1 is loopback"),
        ("fe80::1%eth0", "fe80::1%eth0 is link-local"),
        ("::ffff:10.0.0.5", "::ffff:10.0.0.5 stands for 10.0.0.5, which is private"),
        ("64:ff9b::a00:5", "64:ff9b::a00:5 stands for 10.0.0.5, which is private"),
        ("4000::1", "4000::1 is reserved"),
    ],
)
def test_reason_says_what_the_address_is(address: str, word: str) -> None:
    """The reason names the address, its kind and the remedy."""
    assert NOTHING_ALLOWED.check_address("", address) == f"{word}; name it in egress.allow to permit it"


def test_reason_names_the_host() -> None:
    """For a name the reason says what it resolved to."""
    reason = NOTHING_ALLOWED.check_address("hooks.internal", "10.0.0.5")
    assert reason == ("hooks.internal resolves to 10.0.0.5, which is private; name it in egress.allow to permit it")


@pytest.mark.parametrize("text", ["", "x", "10.0.0", "10.0.0.256", "1.2.3.4/8", "::g", "\udc80"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """What cannot be read as an address cannot be connected to."""
    assert NOTHING_ALLOWED.check_address("", text)


@given(st.one_of(V4, V6, SPECIAL_V6))
def test_nothing_passes_that_the_library_calls_not_global(address: IPv4Address | IPv6Address) -> None:
    """Whatever passes is global by the standard library's tables too, and so is the IPv4 address in it."""
    if NOTHING_ALLOWED.check_address("", str(address)) is None:
        inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
        assert inner.is_global
        assert not inner.is_multicast


@given(V4)
def test_ipv4_within_ipv6_is_judged_as_ipv4(address: IPv4Address) -> None:
    """An address mapped, translated or tunnelled into IPv6 is permitted exactly when its IPv4 address is."""
    permitted = NOTHING_ALLOWED.check_address("", str(address)) is None
    low, tunnel = IPv6Address(int(address)), IPv6Address((0x2002 << 112) | int(address) << 80)
    for base in ("::ffff:0:0", "64:ff9b::", "::ffff:0:0:0"):
        inside = IPv6Address(int(IPv6Address(base)) | int(low))
        assert (NOTHING_ALLOWED.check_address("", str(inside)) is None) == permitted
    assert (NOTHING_ALLOWED.check_address("", str(tunnel)) is None) == permitted


@given(st.one_of(V4, V6, SPECIAL_V6))
def test_allowed_address_passes_and_no_other(address: IPv4Address | IPv6Address) -> None:
    """Naming an address permits it, whatever it is, in the URL and at the socket."""
    policy = EgressPolicy([str(address)])
    host = f"[{address}]" if ":" in str(address) else str(address)
    assert policy.check_address("", str(address)) is None
    assert policy.check_url(f"http://{host}/") is None
    assert policy.check_address("", "127.9.9.9" if str(address) != "127.9.9.9" else "127.9.9.8")


@given(st.one_of(V4, V6, SPECIAL_V6))
def test_allow_all_permits_all(address: IPv4Address | IPv6Address) -> None:
    """The two widest ranges switch the guard off."""
    assert EgressPolicy(["0.0.0.0/0", "::/0"]).check_address("x.example", str(address)) is None


def test_allowed_range_covers_mapped_addresses() -> None:
    """A range of IPv4 permits its addresses also when they come mapped into IPv6."""
    policy = EgressPolicy(["10.20.0.0/16"])
    assert policy.check_address("", "::ffff:10.20.1.1") is None
    assert policy.check_address("", "::ffff:10.21.1.1")


@pytest.mark.parametrize("host", ["hooks.internal", "HOOKS.internal", "hooks.internal."])
def test_allowed_host_permits_its_addresses(host: str) -> None:
    """A host name permits whatever it resolves to, in any case and with a final dot; other names gain nothing."""
    policy = EgressPolicy([host])
    assert policy.check_address("hooks.internal", "169.254.169.254") is None
    assert policy.check_address("Hooks.Internal.", "10.0.0.1") is None
    assert policy.check_address("x.hooks.internal", "10.0.0.1")
    assert policy.check_address("", "10.0.0.1")


def test_allowed_host_may_be_international() -> None:
    """A host name beyond ASCII means its IDNA form."""
    assert EgressPolicy(["B\u00dcCHER.example"]).check_address("xn--bcher-kva.example", "10.0.0.1") is None


@pytest.mark.parametrize(
    "entry",
    [
        *("", " ", "a b", "*.internal", "hooks.internal:8080", "http://x", "x/y", "10.0.0.0/33", "10.0.0.0/", "u@x"),
        *("0x7f.1", "127.1", "2130706433", "[::1]", "[::1]:80", "fe80::1%eth0", "::1/129", "a..b", "a\nb", "\udc80"),
    ],
)
def test_bad_entry_is_named(entry: str) -> None:
    """An entry that is neither range, address nor name is an error that names it."""
    with pytest.raises(ValueError, match="neither an address range") as caught:
        EgressPolicy(["10.0.0.0/8", entry])
    assert repr(entry) in str(caught.value)


def test_range_with_host_bits_is_corrected() -> None:
    """A range with bits beyond its prefix is an error that offers the range that was meant."""
    with pytest.raises(ValueError, match=r"did you mean 10\.20\.0\.0/16\?"):
        EgressPolicy(["10.20.1.0/16"])


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    """No text makes the checks raise, and what passes is a URL whose host the client sees as the guard does."""
    for url in (text, f"http://{text}/", f"http://{text}"):
        if NOTHING_ALLOWED.check_url(url) is None:
            assert parse_url(url) == URL(url)
            assert parse_url(url).raw_host


@given(
    st.lists(st.sampled_from(["0x7f", "0177", "127", "0", "1", "00", "256", "0x", "7f", "-1"]), min_size=1, max_size=5)
)
def test_numbers_with_dots_pass_only_as_plain_addresses(parts: list[str]) -> None:
    """Of all that looks like a number only a plain public address passes."""
    host = ".".join(parts)
    if NOTHING_ALLOWED.check_url(f"http://{host}/") is None and not host[-1].isalpha() and "-" not in host:
        assert ip_address(host).is_global


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST.", "a.localhost", "ip6-loopback"],
)
def test_this_machine(host: str) -> None:
    """Loopback addresses, and names that stand for them wherever they resolve."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "128.0.0.1",
        "::2",
        "::1:1",
        "64:ff9b::7f00:1",
        "::ffff:10.0.0.1",
        "localhost.example.com",
        "mail",
        "metadata.goog",
    ],
)
def test_other_machines(host: str) -> None:
    """All else, also names that may lead here today."""
    assert not is_loopback(host)
