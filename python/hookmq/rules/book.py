"""All rules of a broker: of its settings, of files, of Python and of the HTTP API."""

from __future__ import annotations

import dataclasses
import keyword
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._hookmq import is_rule_function
from ..errors import HookMQError
from ..log import logger
from .actions.delivery import Context
from .checking import configured_rules, problems, taken
from .definition import Rule
from .folder import RuleFolder
from .hidden import check_written, with_secrets
from .live import LiveRule
from .places import Places
from .store import FILE, RuleStore, Version
from .trial import Trials, last_messages, sample_of, try_samples

if TYPE_CHECKING:
    from ..connectors.courier import Courier
    from ..execution.aio import EventLoop
    from ..settings.config import Settings

__all__ = ["COUNTERS", "RuleBook"]

COUNTERS = ("matched", "passed", "failed", "results", "loops")
"""What ``broker.statistics`` adds up over all rules."""

HERE = "this process"
"""Who changes a rule from Python."""


class RuleBook(Mapping[str, LiveRule]):
    """The rules of a broker by name, in the order of their names.

    Args:
        courier_of: returns the courier of a connector. Raises E508 if there is none.
        event_loop: for functions that are coroutines.
        history: the stored messages, as :meth:`Broker.history`.
        failed: is told what goes wrong where nobody waits for it.
    """

    def __init__(
        self,
        courier_of: Callable[[str], Courier],
        event_loop: Callable[[], EventLoop],
        history: Callable[..., Any],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._courier_of, self._event_loop = courier_of, event_loop
        self._history, self._failed = history, failed
        self._lock = threading.RLock()
        self._rules: dict[str, LiveRule] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        self._configured: list[Rule] = []
        self._places: Places | None = None
        """Those of a broker that runs."""
        self._data_dir: Path | None = None
        self._store: RuleStore | None = None
        self._switched: dict[str, bool] = {}
        self._folder: RuleFolder | None = None

    # The rules there are --------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> LiveRule:
        found = self._rules.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._rules))

    def __len__(self) -> int:
        return len(self._rules)

    def __repr__(self) -> str:
        return f"<rules: {', '.join(self) or 'none'}>"

    def find(self, name: str) -> LiveRule:
        """Return a rule. Raises E712 if there is none of the name."""
        found = self._rules.get(name)
        if found is None:
            raise HookMQError("E712", name=name, known=", ".join(self) or "none")
        return found

    def is_enabled(self, live: LiveRule) -> bool:
        """Whether a rule is evaluated."""
        return self._switched.get(live.name, live.rule.enabled)

    def counters(self) -> dict[str, int]:
        """Return what all rules have counted together."""
        rules = list(self._rules.values())
        handles = [live.handle for live in rules if live.handle is not None]
        counted = {f"rules_{name}": sum(int(getattr(one, name)) for one in handles) for name in COUNTERS}
        failed = sum(action.failed for live in rules for action in live.info().actions)
        return {"rules": len(rules), **counted, "rules_actions_failed": failed}

    # Python ---------------------------------------------------------------------------------------------

    def add(self, rule: Rule, *, hook: Any = None, before: LiveRule | None = None) -> LiveRule:
        """Add a rule of Python, which takes the place of one that was defined ``before``.

        Raises:
            HookMQError: E711 if there is another of its name, E710 for SQL that cannot be, if it runs.
        """
        with self._lock:
            other = self._rules.get(rule.name)
            if other is not None and other is not before:
                raise taken(rule, other.rule)
            live = LiveRule(self, rule, hook=hook)
            if self._places is not None:
                self._place(live, before)
            self._rules[rule.name] = live
            return live

    def remove(self, name: str) -> LiveRule:
        """Remove a rule of Python, and return it. Raises E712 or E713."""
        with self._lock:
            live = self._owned(name, "python")
            del self._rules[name]
            self._take_away(live)
            return live

    def set_function(self, name: str, function: Callable[..., Any]) -> None:
        """Let rules call a Python function by a name, in the place of one of the same name.

        Raises:
            HookMQError: E711 for a name that rules cannot call, or that is one of their own.
        """
        where = f"rule_function {name}"
        if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
            raise HookMQError("E711", where=where, reason="its name is not one that a rule can call")
        if is_rule_function(name):
            raise HookMQError(
                "E711", where=where, reason=f"there is a function `{name.lower()}` already: give it a name=…"
            )
        with self._lock:
            self._functions[name] = function
            if self._places is not None:
                for live in [live for live in self._rules.values() if name in live.calls]:
                    self._replace(live, live.rule)

    # Life -----------------------------------------------------------------------------------------------

    def prepare(self, settings: Settings) -> None:
        """Read the rules of the settings, and check these and those of Python, before anything is started.

        Raises:
            HookMQError: E301, E303, E306, E710, E711 for what is wrong.
        """
        self._configured = configured_rules(settings)
        own = [live.rule for live in self._rules.values()]
        names = {rule.name: rule for rule in own}
        for rule in self._configured:
            if rule.name in names:
                raise taken(rule, names[rule.name])
        for rule in [*own, *self._configured]:
            rule.described(list(self._functions))

    def problems(self, settings: Settings) -> list[HookMQError]:
        """Return what is wrong with the rules of the settings, of files and of Python."""
        own = [live.rule for live in self._rules.values() if live.source == "python"]
        return problems(settings, own, list(self._functions))

    def open(self, run: Any, data_dir: Path | None) -> None:
        """Give every rule its place in a run; what is prepared and stored, and what files have.

        Raises:
            HookMQError: E602 for a store that cannot be used, E603 and E711 for an action that cannot be.
        """
        with self._lock:
            self._data_dir = data_dir
            if data_dir is not None and (data_dir / FILE).exists():
                self._open_store()
            settings = run.settings
            url = settings["storage.url"]
            context = Context(None if url is None else str(url), self._event_loop, self._courier_of)
            directory = None if data_dir is None else data_dir / "rules"
            self._places = Places(run, directory, context, self._failed)
            for live in self._rules.values():
                self._place(live, None)
            for rule in self._configured:
                self._add(rule)
            self._add_stored()
            if (folder := settings["rules_folder"]) is not None:
                self._folder = RuleFolder(
                    Path(str(folder)), self._file_changed, self._file_gone, self._file_wrong
                )
                self._folder.look()
                self._folder.start()

    def close(self, left: Callable[[], float]) -> None:
        """Deliver what waits, in the seconds that are ``left()``; rules of Python stay for the next run."""
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.stop()
        with self._lock:
            for live in self._rules.values():
                if live.deliveries is not None:
                    live.deliveries.stop(left, release=False)
                live.handle = live.deliveries = live.lane = None
            self._rules = {name: live for name, live in self._rules.items() if live.source == "python"}
            if self._store is not None:
                self._store.close()
            self._store = self._places = None
            self._switched = {}

    def wait(self, left: Callable[[], float]) -> bool:
        """Wait until actions have done what was selected. Return whether they were in time."""
        placed = [live.deliveries for live in self._rules.values() if live.deliveries is not None]
        return all(deliveries.wait(left) for deliveries in placed)

    # New settings and new code --------------------------------------------------------------------------

    def reload(self, settings: Settings) -> None:
        """Put the rules of settings that were read again in the place of those before, without a gap.

        Raises:
            HookMQError: as :meth:`prepare`; then nothing has changed.
        """
        with self._lock:
            fresh = configured_rules(settings)
            for rule in fresh:
                other = self._rules.get(rule.name)
                if other is not None and other.source != "toml":
                    raise taken(rule, other.rule)
                rule.described(list(self._functions))
            self._configured = fresh
            names = {rule.name for rule in fresh}
            for live in [live for live in self._rules.values() if live.source == "toml"]:
                if live.name not in names:
                    del self._rules[live.name]
                    self._take_away(live)
            for rule in fresh:
                self._put(rule)

    def check_adoption(self, fresh: RuleBook | None) -> None:
        """Check the rules that new code has made, beside those that stay. Raises E710, E711."""
        own = {} if fresh is None else fresh._rules
        functions = list({} if fresh is None else fresh._functions)
        for live in own.values():
            other = self._rules.get(live.name)
            if other is not None and other.source != "python":
                raise taken(live.rule, other.rule)
            live.rule.described(functions)
        for live in self._rules.values():
            if live.source != "python":
                live.rule.described(functions)

    def adopt(self, fresh: RuleBook | None) -> None:
        """Take the rules and functions that new code has made in the place of those before.

        Their hooks have their places already.
        """
        with self._lock:
            own = {} if fresh is None else dict(fresh._rules)
            self._functions = {} if fresh is None else dict(fresh._functions)
            before = {name: live for name, live in self._rules.items() if live.source == "python"}
            for name, live in own.items():
                live._book = self
                old = before.pop(name, None)
                self._place(live, old)
                self._rules[name] = live
            for name, live in before.items():
                del self._rules[name]
                self._take_away(live)
            for live in [one for one in self._rules.values() if one.name not in own and one.calls]:
                self._replace(live, live.rule)

    # Switching ------------------------------------------------------------------------------------------

    def switch(self, name: str, enabled: bool, who: str = HERE) -> LiveRule:
        """Enable or disable a rule, and remember it. Raises E712."""
        with self._lock:
            live = self.find(name)
            if self._places is None:
                live.rule = live.rule.switched(enabled)
            elif live.source == "api":
                if live.rule.enabled is not enabled:
                    rule = live.rule.switched(enabled)
                    version = self._the_store().add(rule.table(), "enabled" if enabled else "disabled", who)
                    live.rule, live.version = rule, version.version
            elif live.rule.enabled is enabled:
                if self._switched.pop(name, None) is not None:
                    self._the_store().switch(name, None, who)
            else:
                self._the_store().switch(name, enabled, who)
                self._switched[name] = enabled
            if live.handle is not None:
                live.handle.enable(enabled)
            return live

    # Rules of the HTTP API ------------------------------------------------------------------------------

    def create(self, table: Mapping[str, Any], who: str, *, change: str = "created") -> LiveRule:
        """Add a rule that is stored. Raises E3xx, E710, E711 for what is wrong, E713 if there is one."""
        with self._lock:
            self._running()
            rule = self.checked(table)
            if (other := self._rules.get(rule.name)) is not None:
                reason = f"there is one already, from {other.rule.where or other.source}"
                raise HookMQError("E713", name=rule.name, reason=reason)
            live = LiveRule(self, rule)
            self._place(live, None)
            try:
                live.version = self._the_store().add(rule.table(), change, who).version
            except BaseException:
                self._take_away(live)
                raise
            self._rules[rule.name] = live
            return live

    def change(
        self,
        name: str,
        table: Mapping[str, Any],
        who: str,
        *,
        expected: int | None = None,
        change: str = "changed",
    ) -> LiveRule:
        """Change a rule that is stored; what was hidden stays as it was.

        ``expected`` is the version that is to be changed. Raises as :meth:`create`, E712 if there is no such
        rule, E713 if it has another version.
        """
        with self._lock:
            self._running()
            live = self._owned(name, "api")
            self._expect(live, expected)
            rule = self.checked(with_secrets({**table, "name": name}, live.rule))
            changed = self._replace(live, rule)
            try:
                changed.version = self._the_store().add(rule.table(), change, who).version
            except BaseException:
                self._replace(changed, live.rule)  # what is not stored must not seem to be
                raise
            return changed

    def delete(self, name: str, who: str, *, expected: int | None = None) -> None:
        """Remove a rule that is stored; its versions stay. Raises E712, E713."""
        with self._lock:
            self._running()
            live = self._owned(name, "api")
            self._expect(live, expected)
            self._the_store().remove(name, who)
            del self._rules[name]
            self._take_away(live)

    def versions(self, name: str) -> list[Version]:
        """Return the versions of a stored rule, the newest first. Raises E712 if there never was one."""
        with self._lock:
            found = [] if self._store is None else self._store.versions(name)
        if not found:
            self.find(name)
        return found

    def restore(self, name: str, version: int, who: str) -> LiveRule:
        """Make a version of a rule the newest one. Raises E712 if there is no such version."""
        with self._lock:
            self._running()
            found = [one for one in self.versions(name) if one.version == version and one.rule is not None]
            if not found:
                known = ", ".join(str(one.version) for one in self.versions(name) if one.rule is not None)
                raise HookMQError("E712", name=f"{name} of version {version}", known=known or "none")
            table, change = dict(found[0].rule or {}), f"restored from {version}"
            if name in self._rules:
                return self.change(name, table, who, change=change)
            return self.create(table, who, change=change)

    def checked(self, table: Mapping[str, Any]) -> Rule:
        """Read a rule of the HTTP API, and check its SQL. Raises E3xx, E710, E711."""
        rule = _written(table)
        check_written(rule)
        rule.described(list(self._functions))
        return rule

    # Trying ---------------------------------------------------------------------------------------------

    def test(
        self,
        *,
        name: str | None = None,
        table: Mapping[str, Any] | None = None,
        samples: Sequence[Mapping[str, Any]] | None = None,
    ) -> Trials:
        """Evaluate a rule, or one that is not there yet, for samples or for the newest stored message.

        Raises:
            HookMQError: E709 for what is no sample, E710 for SQL that cannot be, E712 for no such rule.
        """
        if table is not None:
            rule = _written({"name": name or "rule", **table})
        else:
            rule = self.find(name or "").rule
        functions = dict(self._functions)
        reads = rule.described(list(functions))["sources"]
        given = (
            last_messages(reads, self._history) if samples is None else [sample_of(one) for one in samples]
        )
        return try_samples(rule.name, rule.sql, given, functions, rule.actions, where=rule.shown_where)

    # Inside ---------------------------------------------------------------------------------------------

    def _add(self, rule: Rule) -> None:
        live = LiveRule(self, rule)
        self._place(live, None)
        self._rules[rule.name] = live

    def _put(self, rule: Rule) -> None:
        """Put a rule in the place of the one of its name, if there is one and it is another."""
        live = self._rules.get(rule.name)
        if live is None:
            self._add(rule)
        elif live.rule != rule or live.problem is not None:
            self._replace(live, rule)

    def _replace(self, live: LiveRule, rule: Rule) -> LiveRule:
        fresh = LiveRule(self, rule, hook=live.hook)
        fresh.version = live.version
        self._place(fresh, live)
        self._rules[rule.name] = fresh
        return fresh

    def _place(self, live: LiveRule, before: LiveRule | None) -> None:
        """Give a rule its place, in the place of another without a gap."""
        self._running().put(live, before, self._functions, enabled=self.is_enabled(live))

    def _take_away(self, live: LiveRule) -> None:
        if self._places is not None:
            self._places.take_away(live)

    def _running(self) -> Places:
        if self._places is None:
            raise HookMQError("E503")
        return self._places

    def _owned(self, name: str, source: str) -> LiveRule:
        live = self.find(name)
        if live.source != source:
            place = live.rule.where or live.source
            raise HookMQError("E713", name=name, reason=f"it comes from {place}: change it there")
        return live

    def _expect(self, live: LiveRule, expected: int | None) -> None:
        if expected is not None and live.version != expected:
            reason = f"its version is {live.version}, not {expected}"
            raise HookMQError("E713", name=live.name, reason=reason, version=live.version)

    # Files ----------------------------------------------------------------------------------------------

    def _file_changed(self, rule: Rule) -> None:
        with self._lock:
            other = self._rules.get(rule.name)
            if other is not None and (other.source != "file" or other.rule.where != rule.where):
                raise taken(rule, other.rule)
            rule.described(list(self._functions))
            self._put(rule)
        if other is not None:
            logger("hookmq.rules").info("%s was read again", rule.where)

    def _file_gone(self, name: str) -> None:
        with self._lock:
            live = self._rules.get(name)
            if live is not None and live.source == "file":
                del self._rules[name]
                self._take_away(live)
                logger("hookmq.rules").info("%s is gone, and its rule with it", live.rule.where)

    def _file_wrong(self, name: str, error: HookMQError) -> None:
        live = self._rules.get(name)
        runs = live is not None and live.source == "file"
        if live is not None and runs:
            live.problem = str(error)
        told = "the rule of before runs on" if runs else "there is no rule of it yet"
        logger("hookmq.rules").error("%s\n  %s", error, told)

    # The store ------------------------------------------------------------------------------------------

    def _the_store(self) -> RuleStore:
        if self._store is None:
            return self._open_store()
        return self._store

    def _open_store(self) -> RuleStore:
        self._store = made = RuleStore(None if self._data_dir is None else self._data_dir / FILE)
        self._switched = made.switched()
        return made

    def _add_stored(self) -> None:
        """Add the rules that are stored. What does not hold any more is told, and left where it is."""
        if self._store is None:
            return
        for name, version in self._store.rules().items():
            try:
                rule = self.checked(version.rule or {})
                if name in self._rules:
                    raise taken(rule, self._rules[name].rule)
                self._add(rule)
                self._rules[name].version = version.version
            except HookMQError as error:
                logger("hookmq.rules").error("the stored rule %s is left out: %s", name, error)


def _written(table: Mapping[str, Any]) -> Rule:
    """Read a rule that stands nowhere but in a request."""
    rule = Rule.of(table, "api", f"rule {table.get('name', '')}".rstrip())
    return dataclasses.replace(rule, where="")
