"""`python -m tests.conformance`."""

import sys

from tests.conformance.command import main

sys.exit(main())
