"""Makes the reference engine importable: it is a program copied into an image, not part of the package."""

import sys
from pathlib import Path

ENGINE_HOME = Path(__file__).parents[1] / "stack" / "images" / "llm-inference"

sys.path.insert(0, str(ENGINE_HOME))
