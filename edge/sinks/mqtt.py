"""mqtt:// and mqtts://: a broker, with the state of cameras and zones beside their events.

| topic below the prefix | retained | payload |
| --- | --- | --- |
| `availability` | yes | `online`; `offline` is the last will |
| `CAMERA/events` | no | an event as JSON |
| `CAMERA/availability` | yes | `online`, or `offline` while the camera is lost |
| `CAMERA/problem` | yes | `ON` while it was moved, is covered, ... |
| `CAMERA/occupancy`, `CAMERA/ZONE/occupancy` | yes | `ON`, `OFF` |
| `CAMERA/count`, `CAMERA/ZONE/count` | yes | how many things |
| `CAMERA/snapshot` | yes | the last snapshot, a JPEG |
| `CAMERA/zone/ZONE/set`, `.../state` | state | `ON`, `OFF` |
| `CAMERA/background/set` | no | `CONFIRM`: the scene is learned anew |
| `profile/set`, `profile/state` | state | a name |
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from edge.camera.address import redact_address
from edge.errors import EdgeError, UsageError, missing
from edge.events.event import Event
from edge.progress import note
from edge.sinks.discovery import Config, configs, node
from edge.sinks.sink import (
    CONFIRM,
    SINKS,
    EventRefused,
    Sink,
    SinkError,
    Site,
    Switch,
    Table,
    check_keys,
    secret,
    text,
)
from edge.sinks.states import OFF, OFFLINE, ON, ONLINE, States

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

KEYS = (
    "url", "name", "user", "password", "password_file", "ca", "certificate", "key", "discovery",
)  # fmt: skip
PREFIX, DISCOVERY = "edge", "homeassistant"
QOS = 1
PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEPALIVE_S = 30
ANSWER_S = 10.0
"""Seconds in which a broker connects, or acknowledges an event."""
SNAPSHOT_S = 1.0
"""Seconds for which an event's snapshot may still be on its way to the disk."""
LONGEST_RECONNECT_S = 15
QUEUED = 1000
"""Messages that wait at most for a broker that hangs."""
MQTT_ERR_QUEUE_SIZE = 15
"""Of paho.mqtt.enums.MQTTErrorCode."""
LOSSES, LOSSES_S = 3, 60.0
"""So many lost connections in so many seconds look like two programs that push each other out."""
WILDCARDS = "/+#\0"


@dataclass(frozen=True)
class Broker:
    """Where a broker is, and who we are to it.

    Attributes:
        host, port: its address.
        prefix: of all topics.
        tls: None without encryption.
        user, password: None for none.
    """

    host: str
    port: int
    prefix: str
    tls: ssl.SSLContext | None
    user: str | None
    password: str | None

    def __repr__(self) -> str:
        return f"Broker({self.host}:{self.port}/{self.prefix})"


class MqttSink:
    """A broker.

    Every event is acknowledged by the broker before the next is sent. States are of now: they are
    told at once, and all again after each connection, whatever events still wait.

    Args:
        broker: where it is.
        site: the cameras that it is told of.
        name: of the sink.
        discovery: prefix of Home Assistant's discovery; None for none.
    """

    def __init__(
        self, broker: Broker, site: Site, name: str = "mqtt", discovery: str | None = DISCOVERY
    ) -> None:
        try:
            from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5
        except ModuleNotFoundError as error:
            raise missing("paho") from error
        self.name, self._broker, self._discovery = name, broker, discovery
        self._told: dict[str, str] = {}
        self._settle(site)
        self._snapshots: dict[str, str] = {}
        self._lock = threading.Lock()  # of what is told
        # Of what is acknowledged. The client calls `_on_publish` with its own lock held: nothing
        # of the client is called with this one.
        self._changed = threading.Condition()
        self._connected = self._closed = False
        self._why = f"no answer of {broker.host}:{broker.port}"
        self._answers: dict[int, ReasonCode] = {}
        self._session = 0  # counts the connections
        self._pending: tuple[str, int] | None = None
        """Id of the event that is on its way, and the connection that it takes."""
        self._number = 0
        self._largest = 0
        self._losses: deque[float] = deque(maxlen=LOSSES)
        # One session for each prefix: the broker tells the will of a lost one before it takes the
        # next, so that `offline` never comes after `online`.
        client_id = f"edge-{node(broker.prefix)}"
        self._client: Client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5)
        client = self._client
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail, client.on_publish = self._on_connect_fail, self._on_publish
        client.on_message = self._on_message
        client.max_queued_messages_set(QUEUED)
        client.reconnect_delay_set(1, LONGEST_RECONNECT_S)
        client.will_set(f"{broker.prefix}/availability", OFFLINE, QOS, retain=True)
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.connect_async(broker.host, broker.port, KEEPALIVE_S)
        client.loop_start()

    def set_site(self, site: Site) -> None:
        """Tell of zones and profiles that are new, and take back those that are gone."""
        with self._lock:
            former = self._configs
            self._settle(site)
            if not self._connected:
                return  # everything is told when it is
            for topic in former.keys() - self._configs.keys():
                self._retain(topic, b"")
            for topic, config in self._configs.items():
                if former.get(topic) != config:
                    self._retain(topic, json.dumps(config, ensure_ascii=False))
            self._tell()

    def _settle(self, site: Site) -> None:
        """Take over a site, without telling."""
        prefix = self._broker.prefix
        self._site, self._states = site, States(site.cameras)
        for event in site.begun:
            self._states.update(event)
        self._configs: dict[str, Config] = {}
        if self._discovery is not None:
            found = configs(
                prefix,
                site.cameras,
                site.profiles,
                switches=site.switch is not None,
                snapshots=site.recordings is not None,
            )
            self._configs = {f"{self._discovery}/{topic}": each for topic, each in found.items()}
        self._switches: dict[str, str] = {}
        if site.switch is not None:
            for camera, zones in site.cameras.items():
                for zone in zones:
                    state = OFF if (camera, zone.name) in site.off else ON
                    self._switches[f"{prefix}/{camera}/zone/{zone.name}"] = state
            if site.profiles:
                self._switches[f"{prefix}/profile"] = site.profiles[0]

    def observe(self, event: Event) -> None:
        """Tell at once what an event changed."""
        with self._lock:
            self._states.update(event)
            if event.snapshot is not None:
                self._snapshots[event.camera] = event.snapshot
            self._tell()

    def send(self, event: Event) -> None:
        """Publish an event and wait until the broker has acknowledged it."""
        if set(event.camera) & set(WILDCARDS):
            raise EventRefused(f"the name {event.camera!r} cannot be part of a topic")
        with self._changed:
            if not self._changed.wait_for(lambda: self._connected or self._closed, ANSWER_S):
                raise SinkError(self._why)
            if self._closed:
                raise SinkError("the program ends")
            session = self._session
        if self._pending != (event.id, session):
            # Else it is on its way already, and its acknowledgement is late.
            self._answers.clear()
            topic = f"{self._broker.prefix}/{event.camera}/events"
            sent = self._client.publish(topic, event.as_json(), QOS)
            if sent.rc == MQTT_ERR_QUEUE_SIZE:
                raise SinkError(f"{self._place} takes nothing, {QUEUED} messages wait")
            self._pending, self._number = (event.id, session), sent.mid
        number = self._number

        def over() -> bool:
            return not self._connected or self._session != session or self._closed

        with self._changed:
            self._changed.wait_for(lambda: number in self._answers or over(), ANSWER_S)
            answer, lost = self._answers.get(number), over()
        if answer is None:
            raise SinkError(self._why if lost else f"{self._place} acknowledges nothing")
        self._pending = None
        if answer.is_failure:
            raise SinkError(f"{self._place} refuses events: {answer}")
        self._send_snapshot(event)

    def close(self) -> None:
        """Say goodbye; a broker that is away is not waited for."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        if self._connected:
            goodbye = self._client.publish(
                f"{self._broker.prefix}/availability", OFFLINE, QOS, retain=True
            )
            with suppress(RuntimeError):  # the connection is lost
                goodbye.wait_for_publish(1.0)
            self._client.disconnect()
            self._client.loop_stop()
        else:
            self._client.disconnect()

    @property
    def _place(self) -> str:
        return f"{self._broker.host}:{self._broker.port}"

    def _retain(self, topic: str, payload: str | bytes) -> None:
        self._client.publish(topic, payload, QOS, retain=True)

    def _tell(self) -> None:
        """Tell the states that changed; with the lock held."""
        if not self._connected:
            return
        prefix = self._broker.prefix
        now = {f"{prefix}/{path}": value for path, value in self._states.all().items()}
        now |= {f"{switch}/state": value for switch, value in self._switches.items()}
        for topic in self._told.keys() - now.keys():  # of a zone that is gone
            del self._told[topic]
            self._retain(topic, b"")
        for topic, value in now.items():
            if self._told.get(topic) != value:
                self._told[topic] = value
                self._retain(topic, value)

    def _send_snapshot(self, event: Event) -> None:
        """Publish the snapshot of an event, if it is the last one of its camera."""
        folder = self._site.recordings
        if folder is None or event.snapshot is None:
            return
        until = time.monotonic() + SNAPSHOT_S
        path = folder / event.snapshot
        while self._snapshots.get(event.camera) == event.snapshot:
            with suppress(OSError):
                picture = path.read_bytes()
                if not self._largest or len(picture) < self._largest - 1000:
                    self._retain(f"{self._broker.prefix}/{event.camera}/snapshot", picture)
                return
            if time.monotonic() > until or self._closed:
                return
            time.sleep(0.05)

    def _on_connect(
        self, client: Client, _: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        if reason.is_failure:
            self._why = f"{self._place} refuses the connection: {reason}"
            return
        # What was on its way is told anew: a state of yesterday must not come after today's.
        client.drop_out_messages()
        self._largest = getattr(properties, "MaximumPacketSize", 0)
        prefix = self._broker.prefix
        with self._lock:
            self._told.clear()
            self._retain(f"{prefix}/availability", ONLINE)
            topics = []
            if self._site.switch is not None:
                topics += [f"{prefix}/+/zone/+/set", f"{prefix}/profile/set"]
                topics.append(f"{prefix}/+/background/set")
            if self._discovery is not None:
                for topic, config in self._configs.items():
                    self._retain(topic, json.dumps(config, ensure_ascii=False))
                topics.append(f"{self._discovery}/+/{node(prefix)}/+/config")
            if topics:
                from paho.mqtt.subscribeoptions import SubscribeOptions

                options = SubscribeOptions(QOS, noLocal=True)
                client.subscribe([(topic, options) for topic in topics])
            with self._changed:
                self._connected = True
                self._session += 1
                self._changed.notify_all()
            self._tell()

    def _on_disconnect(self, *_: Any) -> None:
        with self._changed:
            lost, self._connected = self._connected, False
            if lost:
                self._why = f"the connection to {self._place} is lost"
                self._losses.append(time.monotonic())
            self._changed.notify_all()
        if len(self._losses) == LOSSES and self._losses[-1] - self._losses[0] < LOSSES_S:
            self._losses.clear()
            note(
                f"{self.name}: the connection to {self._place} is lost again and again; if another"
                f" program uses the prefix {self._broker.prefix} there, give each its own"
            )

    def _on_connect_fail(self, *_: Any) -> None:
        # The client calls it where it handles the error.
        error = sys.exc_info()[1]
        reason = getattr(error, "strerror", None) or error or "no answer"
        self._why = f"cannot connect to {self._place}: {reason}"

    def _on_publish(self, *arguments: Any) -> None:
        with self._changed:
            self._answers[arguments[2]] = arguments[3]
            self._changed.notify_all()

    def _on_message(self, client: Client, _: Any, message: MQTTMessage) -> None:
        if message.topic.endswith("/config"):
            # An entity of a zone that is gone: Home Assistant removes it.
            if message.payload and message.topic not in self._configs:
                self._retain(message.topic, b"")
            return
        value = message.payload.decode(errors="replace")[:100]
        place = message.topic.removesuffix("/set")
        try:
            self._switch(place, value)
        except EdgeError as error:
            note(f"{self.name}: {message.topic} {value!r} is refused: {error}")
        except Exception as error:  # it would end the thread of the client
            note(f"{self.name}: {message.topic} {value!r}: {type(error).__name__} in the program")
        with self._lock:
            # Told even where nothing changed, so that a switch that was refused springs back.
            self._told.pop(f"{place}/state", None)
            self._tell()

    def _switch(self, place: str, value: str) -> None:
        assert self._site.switch is not None
        if place == f"{self._broker.prefix}/profile":
            if value not in self._site.profiles:
                raise UsageError(f"known: {', '.join(self._site.profiles) or 'no profile'}")
            self._site.switch(Switch(None, None, value))
            self._switches[place] = value
            return
        camera, _, last = place.removeprefix(f"{self._broker.prefix}/").partition("/")
        if last == "background":
            if camera not in self._site.cameras or value != CONFIRM:
                raise UsageError(f"expected {CONFIRM}, of a camera that is watched")
            self._site.switch(Switch(camera, None, value))
            return
        if place not in self._switches:
            raise UsageError("there is no such zone")
        if value not in (ON, OFF):
            raise UsageError(f"expected {ON} or {OFF}")
        camera, _, zone = place.removeprefix(f"{self._broker.prefix}/").split("/")
        self._site.switch(Switch(camera, zone, value))
        self._switches[place] = value


def open_mqtt(table: Table, site: Site) -> Sink:
    """Open `mqtt://USER:PASSWORD@HOST:PORT/PREFIX`, or `mqtts://` for TLS."""
    check_keys(table, KEYS, "mqtt")
    url = text(table, "url") or ""
    name = redact_address(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    prefix = unquote(parts.path).strip("/") if host else ""
    if not host or parts.query or parts.fragment or set(prefix) & set("+#@\0"):
        raise UsageError(f"{name} is not an address", "expected mqtt://HOST:PORT/PREFIX")
    tls = None
    if parts.scheme == "mqtts":
        tls = _tls(text(table, "ca"), text(table, "certificate"), text(table, "key"))
    elif unused := [key for key in ("ca", "certificate", "key") if key in table]:
        raise UsageError(f"{name}: `{unused[0]}` has no effect without TLS", "mqtts://HOST")
    for key, given in (("user", parts.username), ("password", parts.password)):
        if given is not None and (key in table or f"{key}_file" in table):
            raise UsageError(f"{name} and the key `{key}` both name one", "leave one of them out")
    user = text(table, "user") or (unquote(parts.username) if parts.username else None)
    password = secret(table, "password") or (unquote(parts.password) if parts.password else None)
    if password is not None and user is None:
        raise UsageError(f"{name}: a password without `user`")
    for words in site.cameras.items():
        for word in (words[0], *(zone.name for zone in words[1])):
            if not word or set(word) & set(WILDCARDS):
                raise UsageError(f"{word!r} cannot be part of a topic", "a name without / + #")
    discovery = table.get("discovery", DISCOVERY)
    if discovery is not False and (not isinstance(discovery, str) or not discovery):
        raise UsageError(f"{name}: `discovery` is {discovery!r}, expected a prefix or false")
    return MqttSink(
        Broker(host, port or PORTS[parts.scheme], prefix or PREFIX, tls, user, password),
        site,
        text(table, "name") or "mqtt",
        discovery or None,
    )


def _tls(ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (ca, certificate, key)))
        raise UsageError(f"cannot read {files} for TLS: {error.strerror or error}") from None
    return context


for _scheme in PORTS:
    SINKS[_scheme] = open_mqtt
