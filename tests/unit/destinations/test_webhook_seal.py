"""Signatures of webhooks: rotation, ed25519, and headers of others."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError
from standardwebhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from alertd.destinations.base import HttpAnswer, World
from alertd.destinations.signing import Ed25519Signer, parse_private_key
from alertd.destinations.webhook import WebhookType
from alertd.destinations.webhook_seal import RustrakSeal
from alertd.destinations.webhook_settings import WebhookSettings
from tests.conformance.destination_suite import NOW, FixedClock, ScriptedSender
from tests.conformance.messages import make_issue, make_message

if TYPE_CHECKING:
    from alertd.destinations.base import HttpRequest

URL = "https://hooks.example.com/x"
NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "whsec_" + base64.b64encode(b"old" * 8).decode()
SEED = bytes(range(32))
KEY = "whsk_" + base64.b64encode(SEED).decode()
OLD_KEY = "whsk_" + base64.b64encode(bytes(32)).decode()


def sent(now: int = NOW, **settings: Any) -> HttpRequest:
    """Render one message."""
    valid = WebhookSettings.model_validate({"url": URL, **settings})
    world = World(FixedClock(), ScriptedSender([HttpAnswer(204, {}, b"")]), print)
    return WebhookType().open(valid, 10, world).render(make_message(issue=make_issue()), now)


def complaint(**settings: Any) -> str:
    """Validate and return the one complaint."""
    with pytest.raises(ValidationError) as caught:
        WebhookSettings.model_validate({"url": URL, **settings})
    (error,) = caught.value.errors(include_input=False)
    return f"{'.'.join(map(str, error['loc']))}: {error['msg'].removeprefix('Value error, ')}"


def verify_v1a(request: HttpRequest, public: Ed25519PublicKey) -> None:
    """Verify as a receiver does: any v1a signature that fits. Raises InvalidSignature."""
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    entries = [each.partition(",") for each in request.headers["webhook-signature"].split(" ")]
    (given,) = [base64.b64decode(text) for version, _, text in entries if version == "v1a"]
    public.verify(given, signed)


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_both_secrets_verify_while_one_is_replaced(secret: str) -> None:
    """Receivers that know the old secret, and those that know the new one, both take the request."""
    now = int(datetime.now(UTC).timestamp())
    request = sent(now, secret=NEW, previous_secret=OLD)
    headers = dict(request.headers)
    assert Webhook(secret).verify(request.body, headers)
    SvixWebhook(secret).verify(request.body, headers)


@pytest.mark.parametrize(("seconds", "count"), [(-1, 2), (0, 1), (1, 1)])
def test_the_old_secret_stops_to_sign(seconds: int, count: int) -> None:
    """Up to the time that was set both sign; from it on the new one alone."""
    until = datetime.fromtimestamp(NOW, UTC).isoformat()
    request = sent(NOW + seconds, secret=NEW, previous_secret=OLD, previous_until=until)
    signatures = request.headers["webhook-signature"].split(" ")
    assert len(signatures) == count
    assert signatures[0] == sent(NOW + seconds, secret=NEW).headers["webhook-signature"]


def test_private_key_signs_beside_the_secret() -> None:
    """With both, v1 and v1a are sent, and each verifies."""
    now = int(datetime.now(UTC).timestamp())
    request = sent(now, secret=NEW, private_key=KEY)
    assert Webhook(NEW).verify(request.body, dict(request.headers))
    verify_v1a(request, Ed25519PrivateKey.from_private_bytes(SEED).public_key())


def test_private_key_alone() -> None:
    """Without a secret there is one signature, and rotation doubles it."""
    verify_v1a(sent(private_key=KEY), Ed25519PrivateKey.from_private_bytes(SEED).public_key())
    assert sent(private_key=KEY, previous_private_key=OLD_KEY).headers["webhook-signature"].count("v1a,") == 2


def test_private_key_with_its_public_half() -> None:
    """64 bytes are the key and its public key, as some tools write it; they must belong together."""
    public = Ed25519Signer(SEED).public_key
    assert parse_private_key("whsk_" + base64.b64encode(SEED + public).decode()) == SEED
    with pytest.raises(ValueError, match="whose second half is the public key"):
        parse_private_key("whsk_" + base64.b64encode(SEED + SEED).decode())


@pytest.mark.parametrize("text", ["", "whsec_AAAA", "whsk_", "whsk_!", "whsk_AAAA"])
def test_bad_private_key_is_refused_without_repeating_it(text: str) -> None:
    """What is no key is an error that does not tell it."""
    assert complaint(private_key=text).startswith("private_key: ")


def test_rustrak_signature_vectors() -> None:
    """The published vectors come out: over the body alone, and over the timestamp and the body."""
    secret, body = b"test-secret", b'{"test":"data"}'
    published = {
        "body": "e914119c41a12d9a06ed4306f9f3c1ce32ee6618cbb06f54f00a280ba2dc7985",
        "ts_body": "d4fe3b4723c48b2edf5056fde1195425f1a4142bed1241e55d66c2c34842085d",
    }
    for signed, expected in published.items():
        headers: dict[str, str] = {}
        RustrakSeal(secret, dated=signed == "ts_body").put(headers, "id", 1706140800, body)
        assert headers["X-Rustrak-Signature"] == f"sha256={expected}"


@pytest.mark.parametrize("signed", ["body", "ts_body"])
def test_rustrak_secret_is_its_text(signed: str) -> None:
    """Rustrak's secrets are any text, also one that looks like base64: its UTF-8 bytes are the key."""
    request = sent(format="rustrak", secret=NEW, signed=signed)
    content = request.body if signed == "body" else f"{NOW}.".encode() + request.body
    expected = hmac.new(NEW.encode(), content, hashlib.sha256).hexdigest()
    assert request.headers["X-Rustrak-Signature"] == f"sha256={expected}"


def test_hub_signature_is_githubs() -> None:
    """`signature: hub` is sha256= and the HMAC of the body in hexadecimal, with the id and the time beside it."""
    request = sent(secret="It's a Secret to Everybody", signature="hub")  # noqa: S106 - GitHub's example
    expected = hmac.new(b"It's a Secret to Everybody", request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Hub-Signature-256"] == f"sha256={expected}"
    assert request.headers["webhook-id"] == "dlv_0001"
    assert "webhook-signature" not in request.headers


def test_custom_signature() -> None:
    """Name, prefix, encoding and what is covered can be chosen."""
    request = sent(
        secret="s",  # noqa: S106 - a test's own
        signature="custom",
        signature_header="X-Signed",
        signature_prefix="v0=",
        signature_encoding="base64",
        signed="ts_body",
    )
    expected = hmac.new(b"s", f"{NOW}.".encode() + request.body, hashlib.sha256).digest()
    assert request.headers["X-Signed"] == "v0=" + base64.b64encode(expected).decode()


def test_compressed_body_is_signed_before() -> None:
    """The signature is of the body that a receiver has after its framework unpacked it."""
    now = int(datetime.now(UTC).timestamp())
    request = sent(now, secret=NEW, gzip_above_bytes=10)
    assert Webhook(NEW).verify(gzip.decompress(request.body), dict(request.headers))


@pytest.mark.parametrize("form", ["standard", "alertmanager", "nora", "cloudevents"])
def test_small_bodies_stay_as_they_are(form: str) -> None:
    """A body of exactly the bound is not compressed; one byte more is."""
    size = len(sent(format=form).body)
    assert "content-encoding" not in sent(format=form, gzip_above_bytes=size).headers
    assert sent(format=form, gzip_above_bytes=size - 1).headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("form", ["standard", "template"])
def test_a_preview_shows_what_is_read_after_decompression(form: str) -> None:
    """A person reads the body; that it leaves compressed is said by its header."""
    template = {"template": '{"text": {{ message | tojson }}}'} if form == "template" else {}
    settings = WebhookSettings.model_validate({"url": URL, "format": form, **template, "gzip_above_bytes": 0})
    opened = WebhookType().open(settings, 10, World(FixedClock(), ScriptedSender(), print))
    message = make_message(issue=make_issue())
    shown = opened.preview(message)
    assert shown.body == gzip.decompress(opened.render(message, NOW).body).decode()
    assert shown.headers["content-encoding"] == "gzip"


def test_query_is_added_to_what_is_there() -> None:
    """Parameters are encoded and put behind those of the address."""
    assert sent(url="https://x.example/a?b=1#c", query={"k": "a b&c"}).url == "https://x.example/a?b=1&k=a+b%26c"
    assert sent(query={"k": "1"}).url == "https://hooks.example.com/x?k=1"
    assert sent(method="PATCH").method == "PATCH"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"signature": "custom"}, "signature_header: the header's name: signature: custom needs it"),
        ({"signature_header": "X-A"}, "signature_header: nothing: only signature: custom has a header of its own"),
        ({"signature": "custom", "signature_header": "Host"}, "signature_header: no header Host: alertd sets it"),
        ({"signature": "custom", "signature_header": "X-A", "headers": {"x-a": "b"}}, "signature_header: a name that headers does not have too"),
        ({"previous_secret": OLD}, "previous_secret: secret beside it, which replaces it"),
        ({"previous_private_key": KEY}, "previous_private_key: private_key beside it, which replaces it"),
        ({"secret": NEW, "previous_secret": OLD, "signature": "hub"}, "previous_secret: nothing, or signature: standard: two signatures fit into no other header"),
        ({"format": "rustrak", "private_key": KEY}, "private_key: no private key: rustrak has a signature of its own"),
        ({"format": "rustrak", "signature": "hub"}, "signature: standard: rustrak has a signature of its own"),
        ({"private_key": KEY, "signature": "hub"}, "signature: standard: a private key signs in no other way"),
        ({"query": {f"k{n}": "v" for n in range(33)}}, "query: at most 32 parameters"),
        ({"query": {"k": "a\nb"}}, "query: printable characters, on one line, in the parameter 'k'"),
        ({"query": {"": "x"}}, "query: parameters with a name, and with their values of at most 4096 characters"),
        ({"headers": {"X-Rustrak-Signature": "x"}}, "headers: no header X-Rustrak-Signature: alertd sets it"),
        ({"headers": {"ce-id": "x"}}, "headers: no header ce-id: alertd sets it"),
        ({"method": "GET"}, "method: Input should be 'POST', 'PUT' or 'PATCH'"),
    ],
)  # fmt: skip
def test_contradictions_are_explained(settings: dict[str, Any], expected: str) -> None:
    """Settings that do not go together are one complaint at the setting that is to be changed."""
    assert complaint(**settings) == expected
