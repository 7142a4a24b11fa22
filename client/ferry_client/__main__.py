"""Run the command `ferry`: `python -m ferry_client`."""

import sys

from ferry_client.cli.main import main

sys.exit(main())
