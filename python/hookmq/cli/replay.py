"""``hookmq replay APP --hook NAME``: stored messages through a hook of an app, by default as a dry run."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hookmq.errors import HookMQError

from .run import APP_HELP, add_broker_flags, load_broker
from .usage import UsageError

if TYPE_CHECKING:
    from hookmq.broker import Broker
    from hookmq.replaying.replayed import Replay
    from hookmq.settings.config import Settings
    from hookmq.storage import History

__all__ = ["configure", "main"]


_COMMAND = "hookmq replay"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    moment = "an age such as 30s, 10m, 2h, 30d, or an ISO 8601 time"
    parser.add_argument("app", metavar="APP", help=APP_HELP)
    parser.add_argument(
        "--hook", metavar="NAME", required=True, help="the on_message_received or transform hook"
    )
    parser.add_argument(
        "--filter", metavar="FILTER", default="#", help="a topic filter (all that the hook is told of)"
    )
    parser.add_argument("--since", metavar="MOMENT", help=f"only messages from then on: {moment}")
    parser.add_argument("--until", metavar="MOMENT", help="only messages before that")
    parser.add_argument("--client", metavar="ID", help="only messages of this client identifier")
    parser.add_argument(
        "--speed", metavar="X", type=float, help="1 is as it happened, 10 ten times as fast (unbounded)"
    )
    parser.add_argument("--limit", metavar="N", type=int, help="at most so many messages for the hook")
    parser.add_argument(
        "--for-real",
        action="store_true",
        help="start the app's broker meanwhile, and publish what the hook publishes",
    )
    add_broker_flags(parser)
    parser.add_argument(
        "--json", action="store_true", help="print JSON; the hook's own output goes to stderr"
    )


def main(options: argparse.Namespace) -> int:
    """Replay and print the report; return 0, or 1 if the hook raised."""
    broker = load_broker(options, command=_COMMAND)
    made: list[Replay] = []
    try:
        with _output_apart(options), _progress_bar(options) as show:

            def progress(result: Replay) -> None:
                made[:] = [result]
                show(result)

            _replay(broker, options, progress)
    except (TypeError, ValueError) as error:  # of the hook's own, none comes here
        raise UsageError(str(error)) from None
    except KeyboardInterrupt:
        if made:
            _print(made[0], options)
        raise
    _print(made[0], options)
    return 1 if made[0].errors else 0


def _replay(broker: Broker, options: argparse.Namespace, progress: Callable[[Replay], None]) -> None:
    from hookmq.replaying.replay import replay
    from hookmq.terminal import SignalWatch

    wanted: dict[str, Any] = {name: getattr(options, name) for name in ("hook", "since", "until", "client")}
    wanted |= {"speed": options.speed, "limit": options.limit, "progress": progress}
    with SignalWatch():
        if options.for_real:
            with broker:
                broker.replay(options.filter, dry_run=False, **wanted)
            return
        # Nothing is bound, and nothing written: the broker may be running, with this database.
        with _history_of(broker.settings) as history:
            replay(broker._hooks, history, options.filter, **wanted)


@contextlib.contextmanager
def _history_of(settings: Settings) -> Iterator[Callable[..., History]]:
    """Open the history that the app's broker would write to, and return what answers queries."""
    if not settings["history.enabled"]:
        raise HookMQError("E507")
    from hookmq.storage import HistoryStore, sqlite_url

    url, directory = settings["history.url"], settings["data_dir"]
    if url is None and directory is None:
        raise HookMQError(
            "E702", what="data directory", key="data_dir", command=f"{_COMMAND} APP --data-dir DIRECTORY"
        )
    if url is None:
        url = sqlite_url(str(directory))
        path = Path(str(directory)) / "history.db"
        if not path.is_file():  # it would be made, and be empty
            help = f"name the directory of the broker's data:   {_COMMAND} APP --data-dir DIRECTORY"
            raise HookMQError("E601", help=help, url=url, reason="there is no such file")
    with HistoryStore(str(url)) as store:
        yield store.query


# Showing --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _output_apart(options: argparse.Namespace) -> Iterator[None]:
    """Keep what the hook prints out of the JSON."""
    with contextlib.redirect_stdout(sys.stderr) if options.json else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _progress_bar(options: argparse.Namespace) -> Iterator[Callable[[Replay], None]]:
    """Show how far it is on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda result: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        # What the hook prints appears above the bar, unless it goes somewhere else.
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task("messages", total=None)
        yield lambda result: bar.update(task, completed=result.messages, total=result.total)


def _print(result: Replay, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(result.to_dict(), ensure_ascii=False, indent=2))
    else:
        result.show()
