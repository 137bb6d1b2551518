"""The live feed: what pages see while it happens, over one WebSocket.

# Layout
- ``feed``: browsers, what each watches, and the thread that tells them;
- ``requests``: what a browser may say; ``watching``: a view that is watched, and who watches it;
- ``views``: what can be watched, one a file, made of ``states``: things that know what changed since when;
- ``taps``: messages of a filter, shared by all who want them, as ``seen`` reads them, after what was
  ``known`` before; ``data``: where views take the rest from.
"""

from .data import LiveData
from .feed import LiveFeed

__all__ = ["LiveData", "LiveFeed"]
