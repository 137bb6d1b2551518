"""Who asks the HTTP port, and what he may do there: accounts, sessions, API tokens, and pages of others.

# Layout
- ``access``: :class:`Access`, which says who a request comes from, and keeps accounts and tokens
- ``vault``: what is kept of them, in ``DATA_DIR/accounts.json`` or in memory
- ``account``, ``session``, ``token``: what one is
- ``passwords``, ``tries``, ``throttle``: how passwords are checked, and how often
- ``hosts``: names by which the broker may be called, and which pages are its own
- ``cookie``, ``device``: the session's cookie, and how a browser is known by it that has logged in before
- ``identity``, ``refusal``, ``secret``: what the others stand on
"""

from .access import Access
from .identity import ROLES, Identity
from .refusal import Refusal

__all__ = ["ROLES", "Access", "Identity", "Refusal"]
