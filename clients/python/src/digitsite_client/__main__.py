"""Run the command line: `python -m digitsite_client`."""

import sys

from digitsite_client.command import main

sys.exit(main())
