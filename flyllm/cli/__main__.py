"""`python -m flyllm.cli` is the `flyllm` command."""

import sys

from flyllm.cli import main

sys.exit(main())
