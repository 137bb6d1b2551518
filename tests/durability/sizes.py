"""How much the tests do: what tells, or all that was promised with HOOKMQ_TEST_LONG=1 (`make crash`)."""

import os

LONG = bool(os.environ.get("HOOKMQ_TEST_LONG"))
