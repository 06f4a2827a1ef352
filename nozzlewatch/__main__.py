"""``python -m nozzlewatch``: the same as the console script."""

from __future__ import annotations

from nozzlewatch.cli import main

if __name__ == "__main__":
    main()
