"""What the campaigns import from this folder, the tests import too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))
