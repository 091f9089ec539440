"""Install extras and dependency groups as far as there are wheels for this Python, and say aloud what is left out.

python .ci/add_optional.py numba bench oracles plugins     (names of extras or groups in pyproject.toml)
"""

import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

# What is lost without a package, where its name does not tell.
MEANS = {
    "numba": "the Numba backends will be missing",
    "matplotlib": "nothing will be plotted",
    "rich": "tables will be plain",
}


def requirements(name: str) -> list[str]:
    """The requirements that pyproject.toml lists under the extra or the group `name`."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    found: list[str] = (project["project"]["optional-dependencies"] | project["dependency-groups"])[name]
    return found


def install(wanted: list[str]) -> str:
    """Install `wanted` from wheels alone; the answer is pip's last complaint, or nothing."""
    # A source distribution of Numba or OpenCV would start an hour's build that fails at its end.
    command = [sys.executable, "-m", "pip", "install", "-q", "--only-binary", ":all:", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return errors[-1] if errors else f"pip ended with status {done.returncode}"


def main(names: list[str]) -> None:
    """Install all at once where that works, so that the versions fit each other; else one by one."""
    wanted = [requirement for name in names for requirement in requirements(name)]
    if not install(wanted):
        return
    python = f"{sys.implementation.name} {sysconfig.get_python_version()}{getattr(sys, 'abiflags', '')}"
    for requirement in wanted:
        complaint = install([requirement])
        if complaint:
            package = requirement.split(";")[0].split(">")[0].strip()
            means = MEANS.get(package, "what needs it is left out")
            print(f"== no wheel of {package} for {python}: {means} ({complaint})", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
