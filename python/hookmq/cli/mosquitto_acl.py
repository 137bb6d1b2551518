"""From mosquitto's ``acl_file`` to an access list of ours that decides the same.

In mosquitto a client has the rules of its user name (or those before the first ``user`` line, if it has none)
and then the patterns; in each of the two, ``deny`` counts before everything else, wherever it stands. Here
the first rule that matches decides, so the rules are put into that order. What mosquitto does is recorded in
``tests/cli/mosquitto_acl/``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["Translation", "translate"]

_RIGHTS = {
    "read": ("allow", "receive"),
    "write": ("allow", "publish"),
    "readwrite": ("allow", "publish,receive"),
    # Subscribing is never denied in mosquitto; what is delivered is.
    "deny": ("deny", "publish,receive"),
}
_SUBSCRIBE = "# Everyone may subscribe, as in mosquitto: the rules above decide what arrives."
_HEADER = """\
# Made by `hookmq acl import` from mosquitto's access list {name}.
# The first rule that matches decides, so what is denied stands before what is allowed."""


@dataclass(frozen=True, slots=True)
class Translation:
    """The rules as text and their number; or the problems, each a line of mosquitto's file and a reason."""

    text: str
    rules: int
    problems: list[tuple[int | None, str]]


@dataclass(slots=True)
class _Rule:
    comments: list[str]
    access: str
    who: str
    topic: str

    @property
    def text(self) -> str:
        decision, rights = _RIGHTS[self.access]
        return f"{decision} {self.who} {rights} {self.topic}"

    @property
    def is_special(self) -> bool:
        """Whether it is about topics that begin with `$`, which no wildcard of mosquitto reaches."""
        return self.topic.startswith("$")


@dataclass(slots=True)
class _Section:
    """The rules of one user, those of clients without one, or the patterns."""

    comments: list[str] = field(default_factory=list)
    rules: list[_Rule] = field(default_factory=list)

    def ordered(self, *, special: bool | None) -> list[_Rule]:
        chosen = [rule for rule in self.rules if special is None or rule.is_special == special]
        return sorted(chosen, key=lambda rule: rule.access != "deny")  # sorting keeps the order otherwise


class _Problem(Exception):
    """A line that cannot be translated."""


def translate(text: str, *, name: str) -> Translation:
    """Translate mosquitto's access list; ``name`` is said in the first comment."""
    reader = _Reader()
    problems: list[tuple[int | None, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            reader.read(line.rstrip())
        except _Problem as problem:
            problems.append((number, str(problem)))
    if problems:
        return Translation("", 0, problems)
    # A line end in the name of a file must not begin a rule.
    blocks = [[_HEADER.format(name=" ".join(name.split()))], *reader.blocks()]
    rules = sum(line[:1] != "#" for block in blocks for line in block)
    return Translation("\n\n".join("\n".join(block) for block in blocks) + "\n", rules, [])


class _Reader:
    def __init__(self) -> None:
        self._anonymous = _Section()
        self._users: dict[str, _Section] = {}
        self._patterns = _Section()
        self._section, self._who = self._anonymous, "anonymous"
        self._comments: list[str] = []

    def read(self, line: str) -> None:
        """Read one line. Raises `_Problem`."""
        if line.startswith("#"):
            self._comments.append(line)
            return
        # mosquitto parts words with spaces only: it would take a tab for a part of the topic or the name.
        if "\t" in line:
            raise _Problem("has a tab: mosquitto separates words with spaces")
        word, _, rest = line.strip(" ").partition(" ")
        rest = rest.strip(" ")
        match word:
            case "":
                pass
            case "user":
                self._user(rest)
            case "topic":
                self._topic(rest)
            case "pattern":
                self._pattern(rest)
            case _:
                raise _Problem(
                    f"begins with `{word}`; expected topic, user, pattern, or # at the very beginning"
                )

    def _user(self, name: str) -> None:
        if not name:
            raise _Problem("the user name is missing")
        if name == "*":
            raise _Problem("the user name `*` stands for any user name here")
        self._section, self._who = self._users.setdefault(name, _Section()), f"user {_quoted(name)}"
        self._section.comments += self._taken_comments()

    def _topic(self, rest: str) -> None:
        access, topic = _access_and_topic(rest)
        for letters in ("%c", "%u"):
            if letters in topic:
                raise _Problem(
                    f"means the letters {letters}, which always stand for a name here; is it a pattern?"
                )
        self._add(self._section, access, self._who, topic)

    def _pattern(self, rest: str) -> None:
        access, topic = _access_and_topic(rest)
        # Who has no user name is not meant by a pattern with %u, also not by one that denies.
        self._add(self._patterns, access, "user *" if "%u" in topic else "any", topic)

    def _add(self, section: _Section, access: str, who: str, topic: str) -> None:
        from hookmq._hookmq import check_acl

        if topic != topic.strip():
            raise _Problem("the topic begins or ends with a blank that is none to mosquitto")
        rule = _Rule([], access, who, topic)
        try:
            check_acl(rule.text)
        except ValueError as error:
            raise _Problem(str(error).partition(": ")[2]) from None
        rule.comments = self._taken_comments()
        section.rules.append(rule)

    def _taken_comments(self) -> list[str]:
        taken, self._comments = self._comments, []
        return taken

    def blocks(self) -> Iterator[list[str]]:
        """Give the lines of each block of the new file."""
        sections = [self._anonymous, *self._users.values(), self._patterns]
        rules = [rule for section in sections for rule in section.rules]
        # A rule of ours that denies `#` reaches `$SYS` as well; so what is said about `$SYS` comes before.
        apart = any(rule.access == "deny" and rule.topic[0] in "+#" for rule in rules)
        commented: set[int] = set()
        for special in (True, False) if apart else (None,):
            for number, section in enumerate(sections):
                ordered = section.ordered(special=special)
                if ordered:
                    comments = [] if number in commented else section.comments
                    commented.add(number)
                    yield [*comments, *_lines(ordered)]
        left = [
            line
            for number, section in enumerate(sections)
            if number not in commented
            for line in section.comments
        ]
        if left or self._comments:
            yield [*left, *self._comments]
        roots = dict.fromkeys(["$SYS", *(rule.topic.partition("/")[0] for rule in rules if rule.is_special)])
        yield [_SUBSCRIBE, "allow subscribe-only #", *(f"allow subscribe-only {root}/#" for root in roots)]


def _access_and_topic(rest: str) -> tuple[str, str]:
    """Take `read a b` apart; a single word is a topic, whatever word it is."""
    word, _, topic = rest.partition(" ")
    if not word:
        raise _Problem("the topic is missing")
    if not topic:
        return "readwrite", word
    if word not in _RIGHTS:
        raise _Problem(f"`{word}` is no kind of access: read, write, readwrite or deny")
    return word, topic.strip(" ")


def _lines(rules: Iterable[_Rule]) -> Iterator[str]:
    for rule in rules:
        yield from rule.comments
        yield rule.text


def _quoted(name: str) -> str:
    if not any(character.isspace() for character in name) and not name.startswith('"'):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
