"""What has to agree between settings: names that are unique, references that are known, time-outs that fit.

It reads the plain values of the document and skips what has the wrong type (which the models report), so that all
problems come at once. What resources have to agree on is in `alertd.config.resources`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from alertd.config.kafka import KafkaIntake
from alertd.config.names import check_unique, check_workspaces_of, items, names_in
from alertd.config.resources import check_workspace
from alertd.model.kafka_security import KafkaSecurity
from alertd.places import value_at

if TYPE_CHECKING:
    from alertd.config.problems import Problems
    from alertd.places import Place

_KAFKA: Place = ("intake", "kafka")
_SECURITY: Place = (*_KAFKA, "security")
_PROTOCOLS = get_args(KafkaSecurity.model_fields["protocol"].annotation)
_SASL = ("mechanism", "username", "password")
_TLS = ("ca_file", "cert_file", "key_file", "key_password")


def check_agreement(root: dict[str, Any], problems: Problems) -> None:
    """Note everything that does not agree."""
    check_unique(root, ("workspaces",), "a workspace", problems)
    for place, _ in items(root, ("workspaces",)):
        check_workspace(root, place, problems)
    _check_tokens(root, problems)
    if isinstance(value_at(root, _KAFKA), dict):
        _check_timeouts(root, problems)
        _check_security(root, problems)
        check_unique(root, (*_KAFKA, "topics"), "a topic", problems)
        check_workspaces_of(root, (*_KAFKA, "topics"), problems)
        _check_circles(root, problems)


def _check_tokens(root: dict[str, Any], problems: Problems) -> None:
    check_unique(root, ("tokens",), "a token", problems)
    check_workspaces_of(root, ("tokens",), problems)
    seen: dict[str, Place] = {}
    for place, token in items(root, ("tokens",)):
        value = token.get("value")
        if isinstance(value, str) and value:
            first = seen.setdefault(value, place)
            if first is not place:
                expected = f"a secret of its own (the token at {problems.where(first)} has the same)"
                problems.add((*place, "value"), "a secret that is used twice", expected)


def _check_circles(root: dict[str, Any], problems: Problems) -> None:
    """Refuse to write alerts where events are read: under other names of the same brokers it cannot be seen."""
    read = names_in(root, (*_KAFKA, "topics"))
    brokers = _texts(value_at(root, (*_KAFKA, "bootstrap_servers")))
    for workspace, _ in items(root, ("workspaces",)):
        for at, destination in items(root, (*workspace, "destinations")):
            settings = destination.get("settings")
            if destination.get("type") != "kafka" or not isinstance(settings, dict):
                continue
            topic = settings.get("topic")
            if isinstance(topic, str) and topic in read and brokers & _texts(settings.get("bootstrap_servers")):
                place = (*at, "settings", "topic")
                expected = (
                    f"another: alertd reads this one ({problems.where(read[topic])}), so that alerts would come back"
                )
                problems.add(place, problems.show(place, topic), expected)


def _texts(values: Any) -> set[str]:
    return {text.lower() for text in values if isinstance(text, str)} if isinstance(values, list) else set()


def _check_timeouts(root: dict[str, Any], problems: Problems) -> None:
    hint = "else the group is never joined"
    _check_less(root, "rebalance_timeout_seconds", "request_timeout_seconds", hint, problems)
    _check_less(root, "heartbeat_seconds", "session_timeout_seconds", "a third of it is usual", problems)


def _check_less(root: dict[str, Any], low: str, high: str, hint: str, problems: Problems) -> None:
    lesser, greater = _seconds(root, low), _seconds(root, high)
    if lesser is None or greater is None or lesser < greater:
        return
    written = [name for name in (low, high) if name in value_at(root, _KAFKA)]
    at = (*_KAFKA, written[-1])
    shown = " and ".join(problems.show((*_KAFKA, name), value_at(root, (*_KAFKA, name))) for name in written)
    defaults = {name: KafkaIntake.model_fields[name].default for name in (low, high) if name not in written}
    note = "".join(f" (which is {value:g} by default)" for value in defaults.values())
    problems.add(at, f"{shown}", f"{low} to be less than {high}{note}, {hint}")


def _seconds(root: dict[str, Any], name: str) -> float | None:
    default = KafkaIntake.model_fields[name].default
    value = value_at(root, (*_KAFKA, name)) if name in value_at(root, _KAFKA) else default
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _check_security(root: dict[str, Any], problems: Problems) -> None:
    given = value_at(root, _SECURITY)
    given = given if isinstance(given, dict) else {}
    protocol = given.get("protocol", "PLAINTEXT")
    if protocol not in _PROTOCOLS:
        return
    security = KafkaSecurity(protocol=protocol)
    for name in _SASL:
        if security.uses_sasl and given.get(name) is None:
            problems.add((*_SECURITY, name), "nothing", f"a value: {security.protocol} needs it", at_key=True)
    useless = [] if security.uses_sasl else list(_SASL)
    useless += [] if security.uses_tls else list(_TLS)
    for name in useless:
        if given.get(name) is not None:
            kind = "SASL_SSL or SASL_PLAINTEXT" if name in _SASL else "SSL or SASL_SSL"
            problems.add((*_SECURITY, name), f"{name} with the protocol {security.protocol}", f"the protocol {kind}")
    for name in ("key_file", "key_password"):
        if given.get(name) is not None and given.get("cert_file") is None:
            problems.add((*_SECURITY, name), f"{name} without cert_file", "cert_file beside it", at_key=True)
