"""Run the published vectors: `python -m tests.conformance PATH...`, files or folders."""

import sys
from pathlib import Path

from tests.conformance.runner import run

if __name__ == "__main__":
    sys.exit(run([Path(argument) for argument in sys.argv[1:]]))
