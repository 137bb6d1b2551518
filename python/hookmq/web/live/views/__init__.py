"""What can be watched. Each module is one view or a few that belong together; ``view`` is what they are."""

from .dashboard import DASHBOARD
from .listed import CLIENTS, listed
from .log import LOG
from .messages import MESSAGES, TOPIC
from .numbers import OVERVIEW, SERIES
from .topics import TOPICS
from .values import POINTS, VALUES
from .view import Context, View, ViewKind
from .widget import WIDGET

__all__ = ["VIEWS", "Context", "View", "ViewKind"]

VIEWS: dict[str, ViewKind] = {
    "overview": OVERVIEW,
    "series": SERIES,
    "topics": TOPICS,
    "topic": TOPIC,
    "values": VALUES,
    "points": POINTS,
    "messages": MESSAGES,
    "log": LOG,
    "clients": CLIENTS,
    "hooks": listed("hooks"),
    "jobs": listed("jobs"),
    "rules": listed("rules"),
    "bridges": listed("bridges"),
    "connectors": listed("connectors"),
    "dashboard": DASHBOARD,
    "widget": WIDGET,
}
"""By the names that browsers use."""
