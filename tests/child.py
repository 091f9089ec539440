"""Runs code in a fresh Python, for what would change this process: its environment, its signals, its imports."""

import os
import subprocess
import sys
from pathlib import Path

import gilfree


def environment(**extra: str) -> dict[str, str]:
    """This process's environment with no setting of gilfree's but those given, in which gilfree can be imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GILFREE_")}
    root = str(Path(gilfree.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [root, kept.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, **extra}


def python(code: str, *options: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run ``code``; ``options`` are Python's own, ``extra`` goes into the environment."""
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def output(code: str, *options: str, **extra: str) -> str:
    """What ``code`` printed; fails the test with its traceback if it ended badly."""
    done = python(code, *options, **extra)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
