"""The MQTT 5.0 properties that ``-D command name value`` can set, and those a received message can carry."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .usage import UsageError

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties

__all__ = ["COMMANDS", "PROPERTIES", "GivenProperty", "parse_property", "properties_of", "to_paho"]

COMMANDS = ("connect", "publish", "subscribe", "unsubscribe", "disconnect", "will")
"""The packets, in mosquitto's words, whose properties can be given."""

_CONNECT, _PUBLISH, _SUBSCRIBE, _UNSUBSCRIBE, _DISCONNECT, _WILL = COMMANDS

PropertyValue = int | bytes | str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Property:
    """One property: mosquitto's name, paho's name, its type, and the packets it can be given for."""

    name: str
    attribute: str
    type: Literal["integer", "binary", "text", "pair"]
    commands: tuple[str, ...]
    maximum: int = 0


_U8, _U16, _U28, _U32 = 1, 2**16 - 1, 268_435_455, 2**32 - 1  # the byte properties are all 0 or 1

PROPERTIES: tuple[Property, ...] = (
    Property("authentication-data", "AuthenticationData", "binary", (_CONNECT,)),
    Property("authentication-method", "AuthenticationMethod", "text", (_CONNECT,)),
    Property("content-type", "ContentType", "text", (_PUBLISH, _WILL)),
    Property("correlation-data", "CorrelationData", "binary", (_PUBLISH, _WILL)),
    Property("maximum-packet-size", "MaximumPacketSize", "integer", (_CONNECT,), _U32),
    Property("message-expiry-interval", "MessageExpiryInterval", "integer", (_PUBLISH, _WILL), _U32),
    Property("payload-format-indicator", "PayloadFormatIndicator", "integer", (_PUBLISH, _WILL), _U8),
    Property("receive-maximum", "ReceiveMaximum", "integer", (_CONNECT,), _U16),
    Property("request-problem-information", "RequestProblemInformation", "integer", (_CONNECT,), _U8),
    Property("request-response-information", "RequestResponseInformation", "integer", (_CONNECT,), _U8),
    Property("response-topic", "ResponseTopic", "text", (_PUBLISH, _WILL)),
    Property("session-expiry-interval", "SessionExpiryInterval", "integer", (_CONNECT, _DISCONNECT), _U32),
    Property("subscription-identifier", "SubscriptionIdentifier", "integer", (_SUBSCRIBE,), _U28),
    Property("topic-alias", "TopicAlias", "integer", (_PUBLISH,), _U16),
    Property("topic-alias-maximum", "TopicAliasMaximum", "integer", (_CONNECT,), _U16),
    Property("user-property", "UserProperty", "pair", COMMANDS),
    Property("will-delay-interval", "WillDelayInterval", "integer", (_WILL,), _U32),
)
"""Every property ``-D`` knows."""

_BY_NAME = {prop.name: prop for prop in PROPERTIES}
_BY_ATTRIBUTE = {prop.attribute: prop for prop in PROPERTIES}


@dataclass(frozen=True, slots=True)
class GivenProperty:
    """A property of the command line, checked: for which packet, which one, and its value."""

    command: str
    property: Property
    value: PropertyValue


def parse_property(words: Sequence[str]) -> tuple[GivenProperty, int]:
    """Read the words after ``-D``; return the property and how many words it took.

    >>> given, taken = parse_property(["publish", "user-property", "colour", "blue", "-t", "a"])
    >>> given.value, taken
    (('colour', 'blue'), 4)
    """
    if len(words) < 3:
        raise UsageError("-D needs a command, a property and its value")
    command, name = words[0].lower(), words[1]
    if command not in COMMANDS:
        raise UsageError(f"-D {words[0]}: the command is one of {', '.join(COMMANDS)}")
    prop = _BY_NAME.get(name)
    if prop is None:
        raise UsageError(f"-D {command} {name}: there is no such property")
    if command not in prop.commands:
        raise UsageError(f"-D {command} {name}: {command} does not have this property")
    if prop.type == "pair":
        if len(words) < 4:
            raise UsageError(f"-D {command} {name} needs a name and a value")
        return GivenProperty(command, prop, (words[2], words[3])), 4
    return GivenProperty(command, prop, _value(command, prop, words[2])), 3


def to_paho(given: Sequence[GivenProperty], command: str, **more: PropertyValue | None) -> Properties | None:
    """Collect the properties of one packet for paho; ``None`` if there are none."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    kind: int = PacketTypes.WILLMESSAGE if command == _WILL else getattr(PacketTypes, command.upper())
    values = [(item.property.attribute, item.value) for item in given if item.command == command]
    values += [(attribute, value) for attribute, value in more.items() if value is not None]
    if not values:
        return None
    create: Callable[[int], Properties] = Properties  # paho does not annotate it
    properties = create(kind)
    for attribute, value in values:
        setattr(properties, attribute, value)  # paho adds to the properties that may come several times
    return properties


def properties_of(properties: Properties | None) -> dict[str, list[object]]:
    """Return the properties of a received message by mosquitto's names, in the order they arrived."""
    found: dict[str, list[object]] = {}
    for attribute, value in vars(properties).items() if properties is not None else ():
        prop = _BY_ATTRIBUTE.get(attribute)
        if prop is not None:
            found[prop.name] = list(value) if isinstance(value, list) else [value]
    return found


def _value(command: str, prop: Property, text: str) -> PropertyValue:
    if prop.type == "binary":
        return os.fsencode(text)
    if prop.type == "text":
        return text
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= prop.maximum:
        raise UsageError(
            f"-D {command} {prop.name} {text}: the value is a whole number from 0 to {prop.maximum}"
        )
    return number
