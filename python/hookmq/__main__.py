"""``python -m hookmq`` is the command ``hookmq``."""

import sys

from hookmq.cli import main

if __name__ == "__main__":
    sys.exit(main())
