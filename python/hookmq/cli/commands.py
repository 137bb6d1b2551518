"""Which commands there are. What one does is in a module of its own, imported when it is asked for."""

from __future__ import annotations

__all__ = ["COMMANDS", "OWN_LETTERS"]

COMMANDS = {
    "run": "run an app, or a plain broker",
    "dev": "run an app, and reload it when a file is saved",
    "check": "import an app without starting it, and list its hooks",
    "replay": "hand stored messages to a hook, and show what it would change",
    "pub": "publish messages (mosquitto_pub's letters)",
    "sub": "print messages as they come (mosquitto_sub's letters)",
    "clients": "list the clients of a running broker, disconnect and ban them",
    "topics": "list the topics of a running broker, show the newest message of one",
    "retained": "list, show and clear the retained messages of a running broker",
    "history": "list the stored messages of a running broker, export them to a file",
    "hooks": "list the hooks of a running broker, pause and resume them",
    "jobs": "list the scheduled jobs of a running broker, run, pause and resume them",
    "connectors": "list the connectors of a running broker: how they are, and what waits",
    "rules": "list, try, add and switch the rules of a running broker",
    "bridges": "list the bridges of a running broker to others, take their links down and up",
    "accounts": "list and change who logs in to the dashboard",
    "tokens": "list, make and remove API tokens",
    "users": "add, remove, list and check users",
    "acl": "check an access list, or ask it who may do what",
    "store": "check the store of a data directory",
    "backup": "copy a broker's data to a file, while it runs",
    "restore": "put a backup in the place of a broker's data, which is kept beside it",
    "bench": "measure what a broker does on this machine: its own, or one that runs",
    "migrate": "make an app of another broker's home",
    "doctor": "say what would not work in a home of CrystalMQ, or in an app",
    "version": "print the version",
}
"""The commands in the order of the help, and what each does."""

OWN_LETTERS = {"pub": "publish", "sub": "subscribe"}
"""Commands that read their own arguments, and their modules: mosquitto's letters are not argparse's."""
