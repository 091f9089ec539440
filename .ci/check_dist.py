"""Build the source distribution and a wheel from it, and check what is inside both.

python .ci/check_dist.py [FOLDER]     (FOLDER keeps them; without it they are thrown away)
"""

import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

SOURCE = re.compile(r"\.(pyx|pxd|pxi|c|cpp|h|o|obj|html)$|(^|/)build/")
# Besides the package's own files.
IN_SDIST = ("ext/", "tests/", "benchmarks/", "setup.py", "pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md")


def run(*command: str | Path) -> None:
    """Run a command of this environment; show what it said and stop when it fails."""
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}{command[0]} ended with status {done.returncode}")


def untagged(names: list[str]) -> set[str]:
    """Files of the package, compiled ones without the name of their Python."""
    return {re.sub(r"\.(cpython|cp)-?3[^/]*\.(so|pyd)$", ".so", name) for name in names if name.startswith("gilfree/")}


def complaints(sdist: Path, wheel: Path) -> list[str]:
    """What is wrong with the two files, each in a sentence."""
    with tarfile.open(sdist) as archive:
        inside = [name.partition("/")[2] for name in archive.getnames()]
    found = [f"{sdist.name} lacks {name}" for name in IN_SDIST if not any(i.startswith(name) for i in inside)]
    found += [f"{sdist.name} contains {name}" for name in inside if name.endswith((".so", ".pyd", ".pyc", ".c"))]
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.namelist()
    ours = re.compile(r"gilfree(/|-[^/]*\.dist-info/)")
    found += [f"{wheel.name} contains {name}" for name in packed if SOURCE.search(name) or not ours.match(name)]
    if "gilfree/py.typed" not in packed:
        found.append(f"{wheel.name} lacks gilfree/py.typed")
    try:
        files = importlib.metadata.files("gilfree") or []
    except importlib.metadata.PackageNotFoundError:
        return found
    # The package that `make` installed was built from the tree: the source distribution must build the same.
    here = {str(file) for file in files if "__pycache__" not in file.parts}
    different = untagged(packed) ^ untagged(sorted(here))
    return found + [f"only one of the tree and {sdist.name} builds {name}" for name in sorted(different)]


def main(folder: Path) -> int:
    """Build, check, say what was found."""
    run("build", "--outdir", folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    run("twine", "check", "--strict", sdist, wheel)
    run("check_wheel_contents", wheel)
    found = complaints(sdist, wheel)
    print("\n".join(found) or f"{sdist.name} and {wheel.name}: nothing missing, nothing too much")
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(Path(temporary)))
