"""``hookmq run [APP]``: run a broker until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hookmq.broker import Broker

from .usage import UsageError

__all__ = ["add_broker_flags", "configure", "flags_as_arguments", "load_broker", "main"]


DATA_DIR = "hookmq-data"
"""Where a broker that is started from the command line keeps its data, unless told otherwise."""

# Flag, its value's name, its key in the configuration, its meaning. A value of None: the flag takes none.
_FLAGS = (
    ("--host", "HOST", "host", "address to listen on (127.0.0.1)"),
    ("--port", "PORT", "port", "MQTT port, 0 picks a free one, off serves none (1883)"),
    ("--http-port", "PORT", "http_port", "HTTP port, 0 picks a free one, off serves none (8080)"),
    ("--data-dir", "DIRECTORY", "data_dir", f"where data is kept ({DATA_DIR})"),
    ("--config", "FILE", "config", "configuration file (hookmq.toml, if it is there)"),
    ("--allow-anonymous", None, "allow_anonymous", "listen on an open address without authentication"),
    ("--log-level", "LEVEL", "log.level", "debug, info, warning or error (info)"),
)

APP_HELP = "app.py, app:broker, app.py:broker or pkg.module:name"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("app", metavar="APP", nargs="?", help=f"{APP_HELP}; a plain broker if it is left out")
    parser.add_argument(
        "--crystalmq",
        metavar="HOME",
        help="run a CrystalMQ or an MQTTRoute: its configuration and extensions",
    )
    add_broker_flags(parser)
    # A pipe of `hookmq dev`, which wants to be told how the broker does.
    parser.add_argument("--supervisor", type=int, help=argparse.SUPPRESS)


def add_broker_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that configure a broker. Their text is read by ``hookmq.settings``, as everywhere."""
    for flag, value, key, meaning in _FLAGS:
        if value is None:
            parser.add_argument(flag, dest=key, action="store_const", const=True, help=meaning)
        else:
            parser.add_argument(flag, dest=key, metavar=value, help=meaning)


def flags_as_arguments(options: argparse.Namespace) -> list[str]:
    """Return the flags that were given, to hand them to another ``hookmq run``."""
    arguments = []
    for flag, value, key, _ in _FLAGS:
        given = getattr(options, key)
        if given is not None:
            arguments += [flag] if value is None else [f"{flag}={given}"]
    return arguments


def load_broker(options: argparse.Namespace, *, command: str = "hookmq run") -> Broker:
    """Put the flags in force and return the broker: the app's, or a plain one."""
    from hookmq.settings import config

    config.process_flags.clear()
    config.process_flags.update(
        {key: getattr(options, key) for _, _, key, _ in _FLAGS if getattr(options, key) is not None}
    )
    config.process_defaults["data_dir"] = DATA_DIR
    home = getattr(options, "crystalmq", None)
    if home is not None:
        from hookmq.broker import Broker

        if options.app is not None:
            raise UsageError("name an app or --crystalmq HOME, not both")
        return Broker.from_crystalmq(home)
    if options.app is None:
        from hookmq.broker import Broker

        return Broker()

    from .app_loading import load

    return load(options.app, command=command)


def main(options: argparse.Namespace) -> int:
    """Run the broker until it is asked to stop; return the exit code."""
    if options.supervisor is not None:
        from hookmq.terminal import supervisor

        supervisor.attend(options.supervisor)
    broker = load_broker(options)
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl+C is how a broker is meant to end
        broker.run()
    return 0
