"""``python -m gilfree``: the same as the ``gilfree`` command."""

from gilfree.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
