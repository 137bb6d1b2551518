"""The code of an app that does what a home's extensions do."""

from __future__ import annotations

import ast
import keyword
from pathlib import Path

from .authentication import NAMES as AUTHENTICATION
from .configuration import Configuration
from .descriptions import described_jobs, described_pages
from .finding import Finding
from .opening import SCHEDULER, UI_SERVER
from .schedules import NEW
from .store import RECEIVED, SENT

__all__ = ["MigratedApp"]


class MigratedApp:
    """Writes ``app.py``, one extension after the other; :attr:`findings` is what could not be translated.

    Raises:
        SyntaxError: for an extension that is no Python 3.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.findings: list[Finding] = []
        self._names: set[str] = {
            "broker",
            "home",
            "every",
            "received",
            "sent",
            "Broker",
            "Home",
            "os",
            "login",
        }
        self._imports = {"Broker"}
        self._helpers = {"Home"}
        self._reads_environment = False
        self._blocks: list[str] = []
        if configuration.authentication == "custom":
            self._authentication(configuration.authentication_file)
        if configuration.store:
            self._store(configuration.store_file)
        self._scheduler(configuration.extensions / SCHEDULER)
        if configuration.http_port is not None:
            self._pages(configuration.extensions / UI_SERVER)

    @property
    def text(self) -> str:
        """The code."""
        home = str(self._configuration.home)
        head = [
            f'"""Does what {home} did. Run it with:   hookmq run app.py"""\n\n',
            "from __future__ import annotations\n\n",
            "import os\n\n" if self._reads_environment else "",
            f"from hookmq import {', '.join(sorted(self._imports))}\n",
            f"from hookmq.crystalmq import {', '.join(sorted(self._helpers))}\n\n",
            "broker = Broker()\n",
            f"home = Home({home!r}, broker)\n",
        ]
        tail = 'if __name__ == "__main__":\n    broker.run()\n'
        return "".join(head) + "\n\n".join(["", *self._blocks, tail])

    # Extensions -----------------------------------------------------------------------------------------

    def _authentication(self, path: Path) -> None:
        module, functions = self._load(path)
        name = next((one for one in AUTHENTICATION if one in functions), None)
        if name is None:
            self._helpers.add("service_of")
            self._blocks.append(f"broker.authenticate_with(service_of({module}))\n")
            return
        self._blocks.append(
            f"@broker.authenticate\ndef {self._name(name)}(client):\n"
            f"    return home.ask({module}.{name}, client)\n"
        )

    def _store(self, path: Path) -> None:
        module, functions = self._load(path)
        for kind, names, dict_of in (
            ("on_message_received", RECEIVED, "received"),
            ("on_message_sent", SENT, "sent"),
        ):
            name = next((one for one in names if one in functions), None)
            if name is None:
                continue
            self._helpers.add(dict_of)
            self._blocks.append(
                f'@broker.{kind}("#", threads=1)\n@home.inside\ndef {self._name(name)}(message):\n'
                f"    {module}.{name}({dict_of}(message))\n"
            )

    def _scheduler(self, path: Path) -> None:
        if not path.is_file():
            return
        jobs = described_jobs(path)
        if jobs == []:
            text = "it is switched off, and was left out"
            self.findings.append(Finding("note", f"extensions/{SCHEDULER}", text))
            return
        module, _ = self._load(path)
        if jobs is None:
            self._helpers.add("register_schedules")
            self._blocks.append(f"register_schedules(broker, {module}, home.extensions, home.directory)\n")
            text = f"when jobs run is computed, so the app asks {NEW} each time it starts"
            remedy = "write @broker.schedule(every(…)) for each job"
            self.findings.append(Finding("note", f"extensions/{SCHEDULER}", text, remedy))
            return
        self._imports.add("every")
        for job in jobs:
            self._blocks.append(
                f"@broker.schedule({job.when})\n@home.inside\ndef {self._name(job.function)}():\n"
                f"    {module}.{job.function}()\n"
            )

    def _pages(self, path: Path) -> None:
        self._helpers.add("register_static")
        self._blocks.append("register_static(broker, home.configuration.ui)\nhome.serve_pushes()\n")
        if not path.is_file():
            return
        module, _ = self._load(path)
        found = described_pages(path)
        if found is None:
            self._helpers.add("Urls")
            self._blocks.append(
                f"home.pages.register(broker, Urls.of({module}, home.extensions), {self._login(True)})\n"
            )
            text = "which pages there are is computed, so the app asks custom_urls each time it starts"
            remedy = "write @broker.route(…) for each page; all of them are guarded by the login, if it is on"
            self.findings.append(Finding("note", f"extensions/{UI_SERVER}", text, remedy))
            return
        login = self._login(found.guarded)
        for page, function in found.pages:
            guard = "" if login == "None" else f", {login}"
            self._blocks.append(
                f'@broker.route({page!r}, methods=("GET", "POST", "DELETE"))\n'.replace("'", '"')
                + f"def {self._name(function)}(request):\n"
                f"    return home.page({module}.{function}, request{guard})\n"
            )
        if found.redirect != "/" and "/" not in dict(found.pages):
            self._helpers.add("redirect_root")
            self._blocks.append(f"redirect_root(broker, {found.redirect!r})\n".replace("'", '"'))

    def _login(self, guarded: bool) -> str:
        """Return the name of the login that guards pages, and make it."""
        login = self._configuration.login
        if guarded and not login.enabled:
            text = "its pages ask for a login that WEB_LOGIN switches off: the app's are open to everybody"
            remedy = 'make one: login = home.login("NAME", "PASSWORD"), and hand it to home.page(…)'
            self.findings.append(Finding("error", f"extensions/{UI_SERVER}", text, remedy))
        if not guarded or not login.enabled:
            return "None"
        self._reads_environment = True
        self._blocks.append(f'login = home.login({login.username!r}, os.environ["WEB_PASSWORD"])\n')
        text = "the password of the web login is not copied: the app reads it from the environment"
        remedy = "export WEB_PASSWORD=…   before   hookmq run app.py"
        self.findings.append(Finding("warning", login.where, text, remedy))
        return "login"

    # Names ----------------------------------------------------------------------------------------------

    def _load(self, path: Path) -> tuple[str, set[str]]:
        """Write that a file is loaded; return the name it has in the app, and its functions."""
        tree = ast.parse(path.read_bytes(), str(path))
        name = self._name(path.stem)
        folder = self._configuration.extensions
        shown = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
        self._blocks.append(f'{name} = home.load("{shown}")\n')
        return name, {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} | {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def _name(self, wanted: str) -> str:
        """Return a name that nothing else in the app has."""
        base = "".join(one if one.isalnum() else "_" for one in wanted)
        base = f"_{base}" if not base.isidentifier() or keyword.iskeyword(base) else base
        name, number = base, 2
        while name in self._names:
            name, number = f"{base}_{number}", number + 1
        self._names.add(name)
        return name
