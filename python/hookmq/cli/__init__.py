"""The command line: ``hookmq`` and ``python -m hookmq``.

A command is a module with ``NAME``, ``SUMMARY``, ``configure`` and ``main``. Nothing heavy is imported before
a command needs it, so that ``hookmq --help`` answers at once.

Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 the app cannot be imported, 5 cannot bind, 6 refused;
``sub -W`` ends with 27.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from hookmq.errors import HookMQError, render

from . import (
    accounts,
    acl,
    backup,
    bench,
    bridges,
    check,
    clients,
    connectors,
    dev,
    doctor,
    hooks,
    jobs,
    migrate,
    publish,
    replay,
    restore,
    retained,
    rules,
    run,
    store,
    subscribe,
    tokens,
    topics,
    users,
    version,
)
from .usage import EXIT_USAGE, UsageError

__all__ = ["main"]

_EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells say it
_EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE

# These two read their own arguments: mosquitto's letters are not argparse's.
_OWN_LETTERS: dict[str, Callable[[Sequence[str]], int]] = {
    publish.NAME: publish.main,
    subscribe.NAME: subscribe.main,
}

_EPILOGUE = """\
exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 the app cannot be imported, 5 cannot bind, 6 refused
more about a command:   hookmq COMMAND --help"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``argv`` defaults to the arguments of the process.

    Errors are printed to stderr with their code and a way out, never as a traceback.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(arguments)
        # What is still buffered may meet a closed pipe, which is better noticed here than at exit.
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"error: {error}\n\nUse 'hookmq {arguments[0]} --help' to see usage.", file=sys.stderr)
        return EXIT_USAGE
    except HookMQError as error:
        from hookmq.banner import wants_colour

        print(render(error, colour=wants_colour(sys.stderr)), file=sys.stderr)
        return error.exit_code
    except SystemExit as stop:  # of argparse, which has printed what there is to say, or of Broker.run()
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    except BrokenPipeError:
        # `hookmq sub … | head -1`: nobody reads on. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_BROKEN_PIPE


def _dispatch(arguments: list[str]) -> int:
    if arguments and arguments[0] in _OWN_LETTERS:
        return _OWN_LETTERS[arguments[0]](arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.version:
        return version.main(argparse.Namespace(json=False))
    if options.command is None:
        parser.print_help()
        return EXIT_USAGE
    mains: dict[str, Callable[[argparse.Namespace], int]] = {
        module.NAME: module.main
        for module in (
            run,
            dev,
            check,
            replay,
            clients,
            topics,
            retained,
            hooks,
            jobs,
            connectors,
            rules,
            bridges,
            accounts,
            tokens,
            users,
            acl,
            store,
            backup,
            restore,
            bench,
            migrate,
            doctor,
            version,
        )
    }
    return mains[options.command](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hookmq",
        description="An MQTT broker that you program in Python.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in (run, dev, check, replay):
        command.configure(_add(commands, command.NAME, command.SUMMARY))
    for letters in (publish, subscribe):  # for the list of commands only
        _add(commands, letters.NAME, letters.SUMMARY)
    later = (
        clients,
        topics,
        retained,
        hooks,
        jobs,
        connectors,
        rules,
        bridges,
        accounts,
        tokens,
        users,
        acl,
        store,
        backup,
        restore,
        bench,
        migrate,
        doctor,
        version,
    )
    for command in later:
        command.configure(_add(commands, command.NAME, command.SUMMARY))
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.", allow_abbrev=False
    )
