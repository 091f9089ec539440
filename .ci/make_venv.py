"""Make the virtual environment that the Makefile works in, or say in one sentence what the machine lacks for it.

Run by the Python that the environment is for. An old one must be able to read this far, to be told that it is too old:
hence no newer syntax here than that of Python 3.6.
"""

import os
import platform
import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile

OLDEST = (3, 11)


def identity():
    """One word that differs between any two Pythons that cannot share an environment."""
    words = "{0}-{1}-{2}".format(platform.python_version(), sysconfig.get_config_var("SOABI"), sys.base_prefix)
    return re.sub(r"[^\w.]+", "-", words)


def lacking():
    """What is missing here, each as (what it is, the Debian package that has it)."""
    here = "python{0}.{1}".format(*sys.version_info)
    missing = []
    try:
        import ensurepip  # noqa: F401 - Debian puts it into a package of its own
        import venv  # noqa: F401
    except ImportError:
        missing.append(("Python's venv module", here + "-venv"))
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    include = sysconfig.get_path("include")
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "empty.c")
        with open(source, "w") as file:
            file.write("#include <stdio.h>\n")
        command = [*compiler, "-c", source, "-o", source + ".o"]
        try:
            works = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        except OSError:
            works = False
    if not works:
        missing.append(("a C compiler that works ({0} does not)".format(compiler[0]), "gcc libc6-dev"))
    if not os.path.exists(os.path.join(include, "Python.h")):
        missing.append(("Python's C headers ({0}/Python.h)".format(include), here + "-dev"))
    return missing


def has_same_python(folder):
    """Whether `folder` is an environment of the Python that runs this."""
    python = os.path.join(folder, "bin", "python")
    try:
        answer = subprocess.run([python, __file__, "--identity"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.decode().strip() == identity()


def main(folder):
    """Make `folder` an environment of this Python with a new pip, unless it is one."""
    if sys.version_info < OLDEST:
        sys.exit(
            "gilfree needs Python {0}.{1} or newer and {2} is {3}: install one and run make PYTHON=python3.13, say.".format(
                *OLDEST, sys.executable, platform.python_version()
            )
        )
    missing = lacking()
    if missing:
        things, packages = zip(*missing)
        how = "apt install " + " ".join(packages) if sys.platform == "linux" else "xcode-select --install"
        sys.exit("gilfree cannot be built without {0}; to install: {1}".format(" and ".join(things), how))
    if not has_same_python(folder):
        if os.path.isdir(folder) and os.listdir(folder):
            if not os.path.exists(os.path.join(folder, "pyvenv.cfg")):
                sys.exit("{0} is not a virtual environment and is left alone: choose another VENV.".format(folder))
            print("== {0} is of another Python: made anew".format(folder), flush=True)
        print("== {0}: an environment of Python {1}".format(folder, platform.python_version()), flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    # A fresh environment's own pip may be too old to know dependency groups.
    pip = [os.path.join(folder, "bin", "python"), "-m", "pip"]
    return subprocess.run([*pip, "install", "-q", "--upgrade", "pip>=25.1"]).returncode


if __name__ == "__main__":
    if sys.argv[1] == "--identity":
        print(identity())
    else:
        sys.exit(main(sys.argv[1]))
