"""Dashboards that people put together, and where they are kept.

# Layout
- ``store``: :class:`Dashboards`, all there are; ``folder``: their files
- ``dashboard``: what one is; ``layout``: the table that checks what a page sends
"""

from .dashboard import Dashboard
from .store import Dashboards

__all__ = ["Dashboard", "Dashboards"]
