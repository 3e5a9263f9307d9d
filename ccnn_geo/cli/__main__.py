"""``python -m ccnn_geo.cli``."""

import sys

from ccnn_geo.cli import main

if __name__ == "__main__":
    sys.exit(main())
