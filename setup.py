"""The list of compiled modules: which file of ext/ becomes which module, in which builds.

``GILFREE_BUILD_ISAS`` says which instruction sets the kernels are compiled for: ``all`` (the default, and what a wheel
needs), ``native`` (the best one that this machine runs: a third of the time), or names with commas between them.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path

import Cython
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCES = Path("ext")

# Family → source; it becomes one module for each instruction set. Those that take longest to compile come first.
FAMILIES = {"reductions": "reductions.pyx", "pixels": "pixels.pyx", "primes": "primes.pyx"}
# Module → source.
RUNTIME = {
    "gilfree._heartbeat": "heartbeat.pyx",
    "gilfree._tickets": "tickets.pyx",
    "gilfree._bell": "bell.pyx",
    "gilfree._cpu": "cpu.pyx",
}
# Cython's own code for typed memoryviews, which Cython writes. Each module would compile it anew, 6 to 9 s of gcc each.
MEMORYVIEWS = "gilfree._memoryview"

# Instruction set → flags, by compiler, slowest first. The names are those cpu.pyx tests for, and no build may use an
# instruction that cpu.pyx does not ask for. 512-bit registers must be asked for: gcc and clang prefer 256.
AVX2 = ["-mavx2", "-mfma", "-mbmi", "-mbmi2", "-mpopcnt"]
AVX512 = [
    *AVX2,
    *("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx512ifma"),
    "-mprefer-vector-width=512",
]
ISAS = {
    "baseline": {"unix": [], "msvc": []},
    "avx2": {"unix": AVX2, "msvc": ["/arch:AVX2"]},
    "avx512": {"unix": AVX512, "msvc": ["/arch:AVX512"]},
}

# No fused multiply-add (it rounds once where the others round twice: the bits would depend on the build), no errno
# from sqrt, no debug symbols. MSVC's /fp:precise does not contract.
FLAGS = {
    "unix": ["-O3", "-ffp-contract=off", "-fno-math-errno", "-g0"],
    "msvc": ["/O2", "/fp:precise"],
}
# Family → more of them. Loops over columns are not made twice for what is the same in all their rounds: 42 s to compile
# become 34, and the loops take the same time. Histograms of 16 bits would take 1.3 times as long.
MORE_FLAGS = {"reductions": {"unix": ["-fno-unswitch-loops"], "msvc": []}}

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "freethreading_compatible": True,
    # Front ends validate and every loop is `noexcept nogil`: no call may stop to look for an exception.
    "legacy_implicit_noexcept": False,
}


def isas() -> tuple[str, ...]:
    """The builds to make: one for each instruction set asked for on x86-64, the baseline on every other processor."""
    # get_platform() names the target, also when macOS builds for the other processor.
    if not sysconfig.get_platform().endswith(("x86_64", "amd64")):
        return ("baseline",)
    asked = os.environ.get("GILFREE_BUILD_ISAS") or "all"
    if asked == "all":
        return tuple(ISAS)
    if asked == "native":
        return (native_isa(),)
    names = tuple(name.strip() for name in asked.split(","))
    if unknown := set(names) - set(ISAS):
        sys.exit(
            f"GILFREE_BUILD_ISAS: got {asked!r}, where {', '.join(sorted(unknown))!r} is no instruction set;"
            f" expected all, native, or some of {', '.join(ISAS)} with commas between them"
        )
    return names


def native_isa() -> str:
    """The best instruction set that this machine runs, as gcc and clang tell it by the macros they define."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    require(compiler)
    asked = subprocess.run(
        [*compiler, "-march=native", "-dM", "-E", "-x", "c", os.devnull], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        sys.exit(f"GILFREE_BUILD_ISAS: got 'native', which {compiler[0]} cannot tell; expected all, or names")
    defined = set(re.findall(r"^#define (\w+)", asked.stdout, re.MULTILINE))
    runs = [
        name
        for name, flags in ISAS.items()
        if all(f"__{flag[2:].upper()}__" in defined for flag in flags["unix"] if "=" not in flag)
    ]
    return runs[-1]


def extensions() -> list[Extension]:
    """One Extension for each compiled module."""
    listed = [
        Extension(f"gilfree.{family}._cython_{isa}", [str(SOURCES / source)])
        for family, source in FAMILIES.items()
        for isa in reversed(isas())
    ]
    listed += [Extension(module, [str(SOURCES / source)]) for module, source in RUNTIME.items()]
    return [*listed, Extension(MEMORYVIEWS, [])]


@cache
def files_of(source: Path) -> frozenset[Path]:
    """A source with all that it takes in of ours, directly or not: declarations of Cython, and headers."""
    named: set[str] = set()
    for line in source.read_text(encoding="utf-8").splitlines():
        if re.match(r"\s*(from\s+\w+\s+)?cimport\s", line):
            named.update(f"{word}.pxd" for word in re.findall(r"\w+", line))
        elif re.match(r"\s*(#\s*include|cdef extern from)\s", line):
            named.update(re.findall(r'"(\w+\.h)"', line))
    if source.suffix == ".pyx":
        named.add(source.with_suffix(".pxd").name)
    found = {SOURCES / name for name in named if (SOURCES / name).is_file()} - {source}
    # No cycles: a header may be included many times, and never by one that it includes.
    return frozenset({source}.union(*map(files_of, found)))


class Build(build_ext):
    """Translate and compile each module when its sources or its flags have changed, several at a time."""

    def finalize_options(self) -> None:
        """Use every CPU, unless told how many."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        """See that there is a compiler, then build side by side."""
        if self.compiler.compiler_type != "msvc":
            require(self.compiler.compiler_so)
            if shutil.which("ccache") and Path(self.compiler.compiler_so[0]).name != "ccache":
                self.compiler.set_executable("compiler_so", ["ccache", *self.compiler.compiler_so])
        super().build_extensions()

    def build_extension(self, extension: Extension) -> None:
        """Build one module, or take what an earlier build of this folder made of the same sources in the same way.

        pip builds in a new folder every time, also for an editable installation, so what was built is kept in
        ``build/``, each with the hash of all that went into it.
        """
        compiler = "msvc" if self.compiler.compiler_type == "msvc" else "unix"
        source = Path(extension.sources[0]) if extension.sources else None
        package, _, isa = extension.name.rpartition("._cython_")
        more = MORE_FLAGS.get(package.removeprefix("gilfree."), {}).get(compiler, [])
        extension.extra_compile_args = FLAGS[compiler] + ISAS.get(isa, ISAS["baseline"])[compiler] + more
        extension.include_dirs = [str(SOURCES)]  # for the headers beside the sources
        target = Path(self.get_ext_fullpath(extension.name))
        suffix = target.name.removeprefix(extension.name.rpartition(".")[2])
        kept = Path("build", "compiled", sysconfig.get_platform(), extension.name + suffix)
        made_of = kept.with_name(kept.name + ".made-of")
        recipe = self._recipe(extension, source)
        if self.force or not kept.exists() or not made_of.exists() or made_of.read_text() != recipe:
            stem = source.stem if source else extension.name.rpartition(".")[2]
            c_file = Path("build", "cython", extension.name, f"{stem}.c")
            translate(source, c_file, extension.name)
            made_of.unlink(missing_ok=True)  # or it would vouch for another module if this is interrupted
            extension.sources = [str(c_file)]
            super().build_extension(extension)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(target, kept)
            made_of.write_text(recipe)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(kept, target)

    def _recipe(self, extension: Extension, source: Path | None) -> str:
        """The hash of all that goes into a module."""
        commands = [getattr(self.compiler, name, None) for name in ("compiler_so", "linker_so")]
        words = [Cython.__version__, sys.version, *map(str, commands), *extension.extra_compile_args, str(DIRECTIVES)]
        words.append(MEMORYVIEWS)
        made = hashlib.sha256("\0".join(words).encode())
        for file in sorted(files_of(source)) if source else ():
            made.update(file.read_bytes())
        return made.hexdigest()


def translate(source: Path | None, c_file: Path, module: str) -> None:
    """Make C of Cython, in a process of its own: Cython is not thread-safe. Without a source, C that modules share."""
    c_file.parent.mkdir(parents=True, exist_ok=True)
    words = ["--module-name", module, *(f"-X{name}={value}" for name, value in DIRECTIVES.items())]
    if source is None:
        words += ["--generate-shared", str(c_file)]
    else:
        words += ["--shared", MEMORYVIEWS, "-I", str(SOURCES), "-o", str(c_file), str(source)]
    subprocess.run([sys.executable, "-m", "cython", *words], check=True)


def require(compiler: list[str]) -> None:
    """End with a sentence where something is missing to compile with, before anything is begun."""
    if missing := lacking(compiler):
        sys.exit(f"gilfree is compiled from C, and {missing}. Install that, or a wheel, which needs no compiler.")


def lacking(compiler: list[str]) -> str | None:
    """What is missing here to compile an extension of Python, as the end of a sentence; None if nothing is."""
    include = sysconfig.get_path("include")
    debian = "on Debian: apt install gcc libc6-dev python3-dev"
    if shutil.which(compiler[0]) is None:
        return f"the compiler {compiler[0]} is not here ({debian})"
    if not Path(include, "Python.h").exists():
        return f"Python's C headers are not here: {include}/Python.h ({debian})"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "empty.c")
        source.write_text("#include <stdio.h>\n")
        words = [*compiler, "-c", str(source), "-o", str(source.with_suffix(".o"))]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            return f"the compiler {compiler[0]} cannot compile an empty file ({debian})"
    return None


setup(ext_modules=extensions(), cmdclass={"build_ext": Build})
