"""The list of compiled modules: which file of ext/ becomes which module, in which builds."""

import os
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# module → source. A family (see FAMILIES) becomes one module per instruction set instead.
GROUND = {
    "gilfree._tickets": "ext/tickets.pyx",
    "gilfree._bell": "ext/bell.pyx",
    "gilfree._cpu": "ext/cpu.pyx",
    "gilfree._heartbeat": "ext/heartbeat.pyx",
}
FAMILIES = ("primes", "reductions", "pixels")

# Instruction set → flags, by compiler. The names are those cpu.pyx tests for, and no build may use an instruction
# that cpu.pyx does not ask for. 512-bit registers must be asked for: gcc and clang prefer 256.
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

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "freethreading_compatible": True,
    # Front doors validate and every loop is `noexcept nogil`: no call may stop to look for an exception.
    "legacy_implicit_noexcept": False,
}


def isas() -> tuple[str, ...]:
    """The builds to make: x86-64 gets one per instruction set, every other processor the baseline."""
    # get_platform() names the target, also when macOS builds for the other processor.
    x86_64 = sysconfig.get_platform().endswith(("x86_64", "amd64"))
    return tuple(ISAS) if x86_64 else ("baseline",)


def extensions() -> list[Extension]:
    """One Extension for each compiled module."""
    listed = [Extension(module, [source]) for module, source in GROUND.items()]
    for family in FAMILIES:
        listed += [Extension(f"gilfree.{family}._cython_{isa}", [f"ext/{family}.pyx"]) for isa in isas()]
    return listed


class Build(build_ext):
    """Translate each module into a folder of its own, then compile them side by side."""

    def finalize_options(self) -> None:
        """Use every CPU, unless told how many."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        """Translate one after the other (Cython is not thread-safe), then compile."""
        compiler = "msvc" if self.compiler.compiler_type == "msvc" else "unix"
        for extension in self.extensions:
            # A folder each: one source makes several modules, and their C files share a name.
            folder = Path(self.build_temp, "cython", extension.name)
            module = cythonize(
                [extension], build_dir=str(folder), include_path=["ext"], compiler_directives=DIRECTIVES, quiet=True
            )[0]
            extension.sources = module.sources
            extension.depends = [*module.depends, *map(str, Path("ext").glob("*.h"))]
            extension.include_dirs = ["ext"]  # for the headers beside the sources
            isa = extension.name.rpartition("_cython_")[2]
            extension.extra_compile_args = FLAGS[compiler] + ISAS.get(isa, ISAS["baseline"])[compiler]
        super().build_extensions()


setup(ext_modules=extensions(), cmdclass={"build_ext": Build})
