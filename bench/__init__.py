"""The measurements behind ``docs/``, each one command. They need a checkout: its test harness starts the servers."""

import sys

from sluice.config.paths import ROOT

# The installed command does not look into the folder it was installed from.
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
