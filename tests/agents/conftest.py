"""What the tests of this room share."""

import sys
from pathlib import Path

# `event_loop` is shared by the tests of this room only.
sys.path.insert(0, str(Path(__file__).parent))
