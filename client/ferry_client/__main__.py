"""`python -m ferry_client`: the command `ferry`."""

import sys

from ferry_client.shell.main import main

sys.exit(main())
