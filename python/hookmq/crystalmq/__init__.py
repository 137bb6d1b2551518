"""Runs a home of CrystalMQ or MQTTRoute: its configuration of both generations, its extensions unmodified.

# Layout

- `opening.py`            `open_home`: a broker that does what a home says
- `home.py`               `Home`: loads extensions for a broker, and calls them where they expect to be
- `configuration.py`      `Configuration`: what the files say; `ini.py`, `keys.py`, `conf_reader.py` and
                          `storage_url.py` read them
- `settings.py`           the settings of a broker that a configuration stands for
- `finding.py`            `Finding`: something its owner should know
- `working_directory.py`  `WorkingDirectory`: where extensions work, and nobody else
- `extensions.py`         `Extensions`: loads files, calls their setters, explains what keeps them from it
- `store.py`              `custom_store.py`: hooks; `payload.py` makes the dicts they are given
- `schedules.py`          `custom_scheduler.py`: jobs
- `pages.py`              `custom_ui_server.py`: pages; `templates.py`, `login.py`
- `authentication.py`     `custom_authentication.py`, `custom_auth.py`: who may connect
- `client.py`, `cursor.py`, `elastic.py`, `push.py`   what setters hand over
- `log_file.py`           `BrokerLog`: the log file, and `logger_p`
- `migration.py`          makes an app of a home; `toml_text.py` writes its configuration
- `migrated_app.py`       writes its code; `descriptions.py` reads what jobs and pages a source spells out
- `doctor.py`             says what would not work; `inspection.py` reads Python files
- `python2.py`            what tells Python 2 apart, and what to write instead
- `host.py`               `Host`: what of a broker all this uses

# Threads

Extensions never run on a thread that others use. They are imported on `hookmq-crystalmq-NAME`, which ends
when that is done. Hooks run on `hookmq-NAME-0`, jobs on `hookmq-job-NAME`; pages and authentication are
handed to `hookmq-auth-pages-N` and `hookmq-auth-extension-N`, and waited for. Each enters `HOME/bin` for
itself.
"""

from __future__ import annotations

from .authentication import service_of
from .configuration import Configuration
from .finding import Finding
from .home import Home
from .opening import open_home
from .pages import Urls, redirect_root, register_static
from .payload import received, sent
from .schedules import register_schedules
from .working_directory import WorkingDirectory

__all__ = [
    "Configuration",
    "Finding",
    "Home",
    "Urls",
    "WorkingDirectory",
    "open_home",
    "received",
    "redirect_root",
    "register_schedules",
    "register_static",
    "sent",
    "service_of",
]
