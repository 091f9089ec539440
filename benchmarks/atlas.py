"""An atlas of the GIL: probes callables that people ask about, each in a fresh Python, and writes who lets go of it.

    python benchmarks/atlas.py                                 all rows, a few minutes; writes results/atlas-<python>.*
    python benchmarks/atlas.py --only numpy --only json        rows whose group or statement has one of these words
    python benchmarks/atlas.py --time 3 --output elsewhere     more seconds for each row, another folder

Libraries that are not here show as "not installed"; to have them all:

    python -m pip install . --group atlas

A row whose verdict is not the one that the library's source lets expect is probed once more, for longer, and marked
with ≠ if it stays so. The exit status is 1 if there is such a row, or one that failed, and 130 after Ctrl-C, when
nothing is written.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from gilfree import interpreter
from gilfree.explore import machine, record
from gilfree.explore.probe import INTERVAL, SECONDS, VERDICTS, Probe, check_settings
from gilfree.explore.statement import StatementError, probe_in_child
from gilfree.explore.table import STYLES, duration

NOT_INSTALLED, FAILED = "not installed", "failed"

# What a source can say. It does not say how much of a call is free: where another thread gets in, both verdicts will
# do, but for calls that do nothing except wait.
FREE = ("releases",)
LETS_GO = ("releases", "partial")
HOLDS = ("holds",)
BLOCKED = ("holds-blocked",)
YIELDS = ("yields",)

# Groups, and the module whose version stands beside each; None: they come with Python.
GROUPS: dict[str, str | None] = {
    "Compression and hashes": None,
    "Data formats": None,
    "Text and numbers": None,
    "Containers and Python code": None,
    "Files and databases": None,
    "Waiting": None,
    "NumPy": "numpy",
    "SciPy": "scipy",
    "Pillow": "PIL",
    "OpenCV": "cv2",
    "scikit-image": "skimage",
    "PyArrow": "pyarrow",
    "Polars": "polars",
    "pandas": "pandas",
    "orjson": "orjson",
    "gilfree": "gilfree",
}


@dataclass(frozen=True)
class Row:
    """One callable: how it is called, and what its source lets expect."""

    group: str  # one of GROUPS
    statement: str
    setup: str = "pass"
    expected: tuple[str, ...] | None = None  # verdicts on a Python with a GIL; None: the source does not say plainly
    why: str = ""  # where the source says it, or what explains the verdict
    since: tuple[int, int] = (3, 11)  # the first Python that has it
    posix: bool = False  # whether it needs a POSIX system

    def lacking(self) -> str:
        """What this Python or this system lacks for it, or nothing."""
        if sys.version_info[:2] < self.since:
            return "Python {}.{} or newer".format(*self.since)
        return "a POSIX system" if self.posix and os.name != "posix" else ""


# --- what the rows work on -------------------------------------------------------------------------------------------

# A setup makes files with tempfile alone, and leaves them: the folder belongs to who started the probe, as a child
# process that has answered is killed and could not clean up.

TEXT = 'text = " ".join(map(str, range(30_000)))'
DATA = f"{TEXT}\ndata = text.encode()"
RECORDS = 'records = [{"id": n, "name": f"name {n}", "tags": ["a", "b"], "score": n / 7} for n in range(4_000)]'
NUMBERS = "import random\nnumbers = [random.random() for _ in range(50_000)]"
WORDS = "words = list(map(str, range(200_000)))"
SOURCE = r'source = "\n".join(f"def f{n}(x, y=1):\n    return [x + y * {n} for x in range(y)]" for n in range(300))'
CSV = r'text = "id,name,score\n" + "".join(f"{n},name {n},{n / 7}\n" for n in range(20_000))'
FILE = """\
import pathlib, tempfile
path = pathlib.Path(tempfile.mkdtemp(), "file")
path.write_bytes(bytes(4_000_000))"""
DATABASE = """\
import sqlite3
connection = sqlite3.connect(":memory:")
connection.execute("CREATE TABLE t (n)")
connection.executemany("INSERT INTO t VALUES (?)", ((n,) for n in range(50_000)))"""
SOCKETS = """\
import select, socket
from contextlib import suppress
here, there = socket.socketpair()
here.settimeout(0.005)"""
RNG = "import numpy as np\nrng = np.random.default_rng(0)"
ARRAY = f"{RNG}\nx = rng.standard_normal(1_000_000)"
SHORT = f"{RNG}\nx = rng.standard_normal(100_000)"
MATRICES = f"{RNG}\na, b = rng.standard_normal((2, 200, 200))"
STACKS = f"{RNG}\na, b = rng.standard_normal((2, 20, 50, 50))"
WHOLE = f"{RNG}\nwhole = rng.integers(0, 1_000, 1_000_000)"
IMAGE = f"{RNG}\nimage = rng.integers(0, 256, (1_000, 1_500), np.uint8)"
SMALL_IMAGE = f"{RNG}\nimage = rng.integers(0, 256, (300, 300), np.uint8)"
PICTURE = """\
import io
from PIL import Image, ImageFilter
picture = Image.effect_noise((1_200, 800), 50).convert("RGB")"""
SPARSE = f"""{SHORT}
from scipy import sparse
matrix = sparse.csr_array((x, rng.integers(0, 2_000, (2, x.size))))
vector = x[:2_000]"""
POINTS = f"{RNG}\npoints = rng.random((5_000, 3))"
COLUMNS = f'{RNG}\ncolumns = {{"key": rng.integers(0, 100, 200_000), "value": rng.standard_normal(200_000)}}'
PANDAS = f"{COLUMNS}\nimport io, pandas\nframe = pandas.DataFrame(columns)"
POLARS = f"{COLUMNS}\nimport polars\nframe = polars.DataFrame(columns)"
ONES = "import numpy as np\nx = np.ones(10_000_000)"

# --- the rows --------------------------------------------------------------------------------------------------------

CLEARS = "what NumPy gets by calloc is cleared without the GIL (multiarray/alloc.cpp)"

ROWS = [
    # Compression and hashes
    Row(
        "Compression and hashes",
        "zlib.compress(data)",
        f"import zlib\n{DATA}",
        LETS_GO,
        "Modules/zlibmodule.c: Py_BEGIN_ALLOW_THREADS around deflate",
    ),
    Row(
        "Compression and hashes",
        "zlib.decompress(packed)",
        f"import zlib\n{DATA}\npacked = zlib.compress(data * 10)",
        LETS_GO,
        "Modules/zlibmodule.c: Py_BEGIN_ALLOW_THREADS around inflate; the pieces are joined with the GIL",
    ),
    Row(
        "Compression and hashes",
        "zlib.crc32(data)",
        "import zlib\ndata = bytes(4_000_000)",
        LETS_GO,
        "Modules/zlibmodule.c: Py_BEGIN_ALLOW_THREADS above 5 KiB",
    ),
    Row(
        "Compression and hashes",
        "zlib.crc32(small)",
        "import zlib\nsmall = bytes(5 * 1024)",
        HOLDS,
        "Modules/zlibmodule.c: up to 5 KiB it does not bother to let go",
    ),
    Row(
        "Compression and hashes",
        "binascii.crc32(data)",
        "import binascii\ndata = bytes(4_000_000)",
        LETS_GO,
        "Modules/binascii.c: Py_BEGIN_ALLOW_THREADS above 5 KiB",
    ),
    Row(
        "Compression and hashes",
        "gzip.compress(data)",
        f"import gzip\n{DATA}",
        LETS_GO,
        "Lib/gzip.py calls zlib.compress",
    ),
    Row(
        "Compression and hashes",
        "bz2.compress(data)",
        f"import bz2\n{DATA}",
        LETS_GO,
        "Modules/_bz2module.c: Py_BEGIN_ALLOW_THREADS around BZ2_bzCompress",
    ),
    Row(
        "Compression and hashes",
        "lzma.compress(data)",
        f"import lzma\n{DATA}",
        LETS_GO,
        "Modules/_lzmamodule.c: Py_BEGIN_ALLOW_THREADS around lzma_code",
    ),
    Row(
        "Compression and hashes",
        "zstd.compress(data)",
        f"from compression import zstd\n{DATA}",
        LETS_GO,
        "Modules/_zstd/compressor.c: Py_BEGIN_ALLOW_THREADS around ZSTD_compressStream2",
        since=(3, 14),
    ),
    Row(
        "Compression and hashes",
        "hashlib.sha256(data)",
        "import hashlib\ndata = bytes(1_000_000)",
        LETS_GO,
        "Modules/_hashopenssl.c: Py_BEGIN_ALLOW_THREADS from 2048 bytes on (HASHLIB_GIL_MINSIZE)",
    ),
    Row(
        "Compression and hashes",
        "hashlib.sha256(small)",
        "import hashlib\nsmall = bytes(2_047)",
        HOLDS,
        "Modules/_hashopenssl.c: below 2048 bytes it does not bother to let go",
    ),
    Row(
        "Compression and hashes",
        "hashlib.blake2b(data)",
        "import hashlib\ndata = bytes(1_000_000)",
        LETS_GO,
        "Modules/_blake2, since 3.14 Modules/blake2module.c: Py_BEGIN_ALLOW_THREADS from 2048 bytes on",
    ),
    Row(
        "Compression and hashes",
        'hmac.digest(b"key", data, "sha256")',
        "import hmac\ndata = bytes(1_000_000)",
        LETS_GO,
        "Modules/_hashopenssl.c: Py_BEGIN_ALLOW_THREADS around HMAC",
    ),
    Row(
        "Compression and hashes",
        'hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 10_000)',
        "import hashlib",
        LETS_GO,
        "Modules/_hashopenssl.c: Py_BEGIN_ALLOW_THREADS around PKCS5_PBKDF2_HMAC",
    ),
    Row(
        "Compression and hashes",
        'hashlib.scrypt(b"password", salt=b"salt", n=1024, r=8, p=1)',
        "import hashlib",
        LETS_GO,
        "Modules/_hashopenssl.c: Py_BEGIN_ALLOW_THREADS around EVP_PBE_scrypt",
    ),
    Row(
        "Compression and hashes",
        "base64.b64encode(data)",
        "import base64\ndata = bytes(4_000_000)",
        HOLDS,
        "Modules/binascii.c: b2a_base64 never lets go",
    ),
    Row(
        "Compression and hashes",
        "os.urandom(1_000_000)",
        "import os",
        LETS_GO,
        "Python/bootstrap_hash.c: Py_BEGIN_ALLOW_THREADS around getrandom",
    ),
    Row(
        "Compression and hashes",
        "ssl.RAND_bytes(10_000_000)",
        "import ssl",
        HOLDS,
        "Modules/_ssl.c: RAND_bytes is called with the GIL, unlike what os.urandom calls",
    ),
    # Data formats
    Row("Data formats", "json.dumps(records)", f"import json\n{RECORDS}", HOLDS, "Modules/_json.c never lets go"),
    Row(
        "Data formats",
        "json.loads(text)",
        f"import json\n{RECORDS}\ntext = json.dumps(records)",
        HOLDS,
        "Modules/_json.c never lets go",
    ),
    Row(
        "Data formats",
        "json.dumps(records, indent=2)",
        f"import json\n{RECORDS}",
        HOLDS if sys.version_info >= (3, 13) else YIELDS,
        "since 3.13 Modules/_json.c indents too; before, Lib/json/encoder.py did",
    ),
    Row("Data formats", "pickle.dumps(records)", f"import pickle\n{RECORDS}", HOLDS, "Modules/_pickle.c never lets go"),
    Row(
        "Data formats",
        "pickle.loads(data)",
        f"import pickle\n{RECORDS}\ndata = pickle.dumps(records)",
        HOLDS,
        "Modules/_pickle.c never lets go",
    ),
    Row(
        "Data formats",
        "list(csv.reader(lines))",
        f"import csv\n{CSV}\nlines = text.splitlines()",
        HOLDS,
        "Modules/_csv.c never lets go",
    ),
    Row(
        "Data formats",
        "ElementTree.fromstring(text)",
        'from xml.etree import ElementTree\ntext = "<a>" + "<b c=\'d\'>e</b>" * 20_000 + "</a>"',
        HOLDS,
        "Modules/_elementtree.c and Modules/pyexpat.c never let go",
    ),
    Row(
        "Data formats",
        "tomllib.loads(text)",
        r"import tomllib" "\n" r'text = "\n".join(f"[t{n}]\nkey = [1, 2, 3]" for n in range(300))',
        YIELDS,
        "Lib/tomllib is Python",
    ),
    Row(
        "Data formats",
        'struct.unpack("100000d", data)',
        "import struct\ndata = bytes(800_000)",
        HOLDS,
        "Modules/_struct.c never lets go",
    ),
    Row(
        "Data formats",
        "ast.parse(source)",
        f"import ast\n{SOURCE}",
        HOLDS,
        "Parser/ and Python/Python-ast.c never let go",
    ),
    Row("Data formats", 'compile(source, "name", "exec")', SOURCE, HOLDS, "Parser/ and Python/compile.c never let go"),
    # Text and numbers
    Row(
        "Text and numbers",
        "pattern.findall(text)",
        f'import re\n{TEXT}\npattern = re.compile(r"\\d+7")',
        HOLDS,
        "Modules/_sre never lets go: now and then it looks for signals, and no further",
    ),
    Row(
        "Text and numbers",
        "backtracking.match(text)",
        'import re\nbacktracking = re.compile(r"(?:a+)+b")\ntext = "a" * 18',
        HOLDS,
        "Modules/_sre never lets go, and such a search can take for ever",
    ),
    Row("Text and numbers", '", ".join(words)', WORDS, HOLDS, "Objects/unicodeobject.c never lets go"),
    Row(
        "Text and numbers",
        'b"".join(chunks)',
        "chunks = [bytes(1_000_000)] * 16",
        LETS_GO,
        "Objects/stringlib/join.h: PyEval_SaveThread from 1 MiB on, if all the parts are bytes",
    ),
    Row("Text and numbers", 'text.replace("1", "one")', TEXT, HOLDS, "Objects/unicodeobject.c never lets go"),
    Row(
        "Text and numbers",
        "text.encode()",
        'text = "naïve café " * 200_000',
        HOLDS,
        "Objects/stringlib/codecs.h never lets go",
    ),
    Row(
        "Text and numbers",
        'data.find(b"needle")',
        'data = b"needl" * 500_000',
        HOLDS,
        "Objects/stringlib/fastsearch.h never lets go",
    ),
    Row(
        "Text and numbers",
        "operator.mul(a, b)",
        "import operator\na, b = 3**200_000, 7**80_000",
        HOLDS,
        "Objects/longobject.c never lets go",
    ),
    Row(
        "Text and numbers",
        "pow(3, a, b)",
        "a, b = 10**400 + 7, 10**400 + 3",
        HOLDS,
        "Objects/longobject.c never lets go",
    ),
    Row(
        "Text and numbers",
        "str(number)",
        "number = 7**5_000",
        HOLDS,
        "Objects/longobject.c never lets go; longer ones are left to Lib/_pylong.py since 3.12",
    ),
    Row("Text and numbers", "math.factorial(10_000)", "import math", HOLDS, "Modules/mathmodule.c never lets go"),
    Row(
        "Text and numbers",
        "number.sqrt(context)",
        "from decimal import Context, Decimal\nnumber, context = Decimal(2), Context(prec=10_000)",
        HOLDS,
        "Modules/_decimal never lets go",
    ),
    Row(
        "Text and numbers",
        "random.getrandbits(8_000_000)",
        "import random",
        HOLDS,
        "Modules/_randommodule.c never lets go",
    ),
    Row("Text and numbers", "random.shuffle(numbers)", NUMBERS, YIELDS, "Lib/random.py: the loop is Python"),
    # Containers and Python code
    Row("Containers and Python code", "sorted(numbers)", NUMBERS, HOLDS, "Objects/listobject.c never lets go"),
    Row(
        "Containers and Python code",
        "sorted(numbers, key=lambda n: -n)",
        NUMBERS,
        why="the key function is bytecode, the sort itself keeps the GIL: it depends on which takes longer",
    ),
    Row(
        "Containers and Python code",
        "sum(numbers)",
        "numbers = list(range(500_000))",
        HOLDS,
        "Python/bltinmodule.c never lets go",
    ),
    Row("Containers and Python code", "sum(range(500_000))", expected=HOLDS, why="Python/bltinmodule.c never lets go"),
    Row(
        "Containers and Python code",
        "sum(n * n for n in range(100_000))",
        expected=YIELDS,
        why="the generator is bytecode",
    ),
    Row("Containers and Python code", "[n * n for n in range(100_000)]", expected=YIELDS, why="bytecode"),
    Row("Containers and Python code", "for n in range(100_000): pass", expected=YIELDS, why="bytecode"),
    Row("Containers and Python code", "set(words)", WORDS, HOLDS, "Objects/setobject.c never lets go"),
    Row(
        "Containers and Python code",
        'array.array("d", numbers)',
        f"import array\n{NUMBERS}",
        HOLDS,
        "Modules/arraymodule.c never lets go",
    ),
    Row(
        "Containers and Python code",
        "copy.deepcopy(records)",
        f"import copy\n{RECORDS}",
        YIELDS,
        "Lib/copy.py is Python",
    ),
    Row(
        "Containers and Python code",
        "gc.collect()",
        "import gc\nkept = [[] for _ in range(300_000)]",
        HOLDS,
        "the collector never lets go, unless a finalizer does",
    ),
    # Files and databases
    Row(
        "Files and databases",
        "path.read_bytes()",
        FILE,
        LETS_GO,
        "Python/fileutils.c: Py_BEGIN_ALLOW_THREADS around read",
    ),
    Row(
        "Files and databases", "path.read_text()", FILE, LETS_GO, "Python/fileutils.c: as above; decoding keeps the GIL"
    ),
    Row(
        "Files and databases",
        "file.seek(0); file.write(data); os.fsync(file.fileno())",
        f'{FILE}\nimport os\nfile, data = path.open("wb", buffering=0), bytes(1_000_000)',
        LETS_GO,
        "Python/fileutils.c, Modules/posixmodule.c: Py_BEGIN_ALLOW_THREADS around write and fsync",
    ),
    Row(
        "Files and databases",
        "shutil.copyfile(path, target)",
        f'{FILE}\nimport shutil\ntarget = path.with_name("copy")',
        LETS_GO,
        "Lib/shutil.py calls os.sendfile and its like, or reads and writes",
    ),
    Row(
        "Files and databases",
        "os.stat(far)",
        "import os\nfar = './' * 2_000  # a microsecond near by is too short to meet anybody",
        LETS_GO,
        "Modules/posixmodule.c: Py_BEGIN_ALLOW_THREADS around stat",
        posix=True,
    ),
    Row(
        "Files and databases",
        "os.listdir(folder)",
        'import os, sysconfig\nfolder = sysconfig.get_path("stdlib")',
        LETS_GO,
        "Modules/posixmodule.c: Py_BEGIN_ALLOW_THREADS around each readdir",
    ),
    Row(
        "Files and databases",
        'connection.execute("SELECT sum(n % 7) FROM t").fetchall()',
        DATABASE,
        LETS_GO,
        "Modules/_sqlite/cursor.c: Py_BEGIN_ALLOW_THREADS around sqlite3_step",
    ),
    Row(
        "Files and databases",
        'connection.execute("SELECT n FROM t").fetchall()',
        DATABASE,
        LETS_GO,
        "Modules/_sqlite/cursor.c: lets go and comes back for every row and value",
    ),
    # Waiting
    Row(
        "Waiting",
        "time.sleep(0.01)",
        "import time",
        FREE,
        "Modules/timemodule.c: Py_BEGIN_ALLOW_THREADS around the sleep",
    ),
    Row(
        "Waiting",
        "lock.acquire(timeout=0.005)",
        "import threading\nlock = threading.Lock()\nlock.acquire()",
        FREE,
        "Modules/_threadmodule.c, later Python/thread.c and Python/lock.c: waits without the GIL",
    ),
    Row(
        "Waiting",
        "event.wait(0.005)",
        "import threading\nevent = threading.Event()",
        LETS_GO,
        "Lib/threading.py waits for a lock",
    ),
    Row(
        "Waiting",
        "with suppress(Empty): fifo.get(timeout=0.005)",
        "from contextlib import suppress\nfrom queue import Empty, Queue\nfifo = Queue()",
        LETS_GO,
        "Lib/queue.py waits for a lock",
    ),
    Row(
        "Waiting",
        "select.select([here], [], [], 0.005)",
        SOCKETS,
        LETS_GO,
        "Modules/selectmodule.c: Py_BEGIN_ALLOW_THREADS around select",
    ),
    Row(
        "Waiting",
        "with suppress(TimeoutError): here.recv(1)",
        SOCKETS,
        LETS_GO,
        "Modules/socketmodule.c: Py_BEGIN_ALLOW_THREADS around poll and recv",
    ),
    Row(
        "Waiting",
        "asyncio.run(nap())",
        "import asyncio\nasync def nap(): await asyncio.sleep(0.01)",
        LETS_GO,
        "an event loop waits in select, epoll or kqueue, which let go",
    ),
    Row(
        "Waiting",
        "subprocess.run(command)",
        'import subprocess, sys\ncommand = [sys.executable, "-I", "-S", "-c", ""]',
        LETS_GO,
        "os.read and os.waitpid let go; Modules/_posixsubprocess.c forks with the GIL",
    ),
    Row(
        "Waiting",
        "cdll.usleep(5_000)",
        "import ctypes\ncdll = ctypes.CDLL(None)",
        FREE,
        "Modules/_ctypes/callproc.c: Py_UNBLOCK_THREADS, but for PyDLL",
        posix=True,
    ),
    Row(
        "Waiting",
        "pydll.usleep(5_000)",
        "import ctypes\npydll = ctypes.PyDLL(None)",
        BLOCKED,
        "Modules/_ctypes/callproc.c: functions of a PyDLL keep the GIL",
        posix=True,
    ),
    # NumPy
    Row(
        "NumPy", "np.exp(x)", ARRAY, LETS_GO, "umath/ufunc_object.c: NPY_BEGIN_THREADS_THRESHOLDED, above 500 elements"
    ),
    Row("NumPy", "np.add(x, x, out=y)", f"{ARRAY}\ny = np.empty_like(x)", LETS_GO, "umath/ufunc_object.c: as above"),
    Row(
        "NumPy",
        "np.add(small, small)",
        "import numpy as np\nsmall = np.ones(500)",
        HOLDS,
        "umath/ufunc_object.c: up to 500 elements it does not bother to let go",
    ),
    Row(
        "NumPy",
        "np.add(objects, objects, out=sums)",
        f"{RNG}\nobjects = rng.random(50_000).astype(object)\nsums = objects.copy()",
        HOLDS,
        "umath/ufunc_object.c: loops over objects keep the GIL",
    ),
    Row(
        "NumPy",
        "np.add(objects, objects)",
        f"{RNG}\nobjects = rng.random(50_000).astype(object)",
        ("holds", "partial"),
        f"as above, but {CLEARS}",
    ),
    Row(
        "NumPy",
        "vectorized(x)",
        f"{RNG}\nx = rng.random(10_000)\nvectorized = np.vectorize(lambda n: n + 1)",
        why=f"the function is bytecode; {CLEARS}",
    ),
    Row("NumPy", "x.sum()", ARRAY, LETS_GO, "umath/reduction.c: NPY_BEGIN_THREADS"),
    Row("NumPy", "np.cumsum(x)", ARRAY, LETS_GO, "umath/ufunc_object.c: NPY_BEGIN_THREADS in PyUFunc_Accumulate"),
    Row("NumPy", "np.sort(x)", SHORT, LETS_GO, "multiarray/item_selection.c: NPY_BEGIN_THREADS_DESCR"),
    Row("NumPy", "np.argsort(x)", SHORT, LETS_GO, "multiarray/item_selection.c: NPY_BEGIN_THREADS_DESCR"),
    Row("NumPy", "np.median(x)", SHORT, LETS_GO, "multiarray/item_selection.c: a partition lets go as a sort does"),
    Row(
        "NumPy",
        "np.searchsorted(ordered, x)",
        f"{SHORT}\nordered = np.sort(x)",
        LETS_GO,
        "multiarray/item_selection.c: NPY_BEGIN_THREADS_DESCR",
    ),
    Row(
        "NumPy",
        "np.unique(whole)",
        WHOLE,
        LETS_GO,
        "NumPy 2.3 made it a hash table without the GIL (multiarray/unique.cpp); before it sorted, which lets go too",
    ),
    Row("NumPy", "np.dot(a, b)", MATRICES, LETS_GO, "multiarray/cblasfuncs.c: NPY_BEGIN_ALLOW_THREADS around gemm"),
    Row("NumPy", "a @ b", MATRICES, LETS_GO, "umath/matmul.c.src: a ufunc"),
    Row("NumPy", "np.linalg.solve(a, b)", STACKS, LETS_GO, "linalg/umath_linalg.cpp: a ufunc"),
    Row("NumPy", "np.linalg.svd(a)", STACKS, LETS_GO, "linalg/umath_linalg.cpp: a ufunc"),
    Row("NumPy", "np.linalg.eigh(a)", STACKS, LETS_GO, "linalg/umath_linalg.cpp: a ufunc"),
    Row("NumPy", 'np.einsum("ij,jk", a, b)', MATRICES, LETS_GO, "multiarray/einsum.cpp: NPY_BEGIN_THREADS_NDITER"),
    Row(
        "NumPy",
        "np.convolve(x, weights)",
        f"{SHORT}\nweights = np.ones(50)",
        LETS_GO,
        "multiarray/multiarraymodule.c: NPY_BEGIN_THREADS_DESCR in _pyarray_correlate",
    ),
    Row("NumPy", "np.fft.fft(x)", SHORT, LETS_GO, "fft/_pocketfft_umath.cpp: a ufunc since NumPy 2.0"),
    Row(
        "NumPy",
        "x[index]",
        f"{ARRAY}\nindex = rng.integers(0, x.size, x.size)",
        LETS_GO,
        "multiarray/lowlevel_strided_loops.c.src: NPY_BEGIN_THREADS in mapiter_trivial_get",
    ),
    Row(
        "NumPy",
        "x[mask]",
        f"{ARRAY}\nmask = x > 0",
        LETS_GO,
        "multiarray/mapping.c: NPY_BEGIN_THREADS in array_boolean_subscript",
    ),
    Row(
        "NumPy",
        "np.take(x, index)",
        f"{ARRAY}\nindex = rng.integers(0, x.size, x.size)",
        LETS_GO,
        "multiarray/item_selection.c: NPY_BEGIN_THREADS_DESCR",
    ),
    Row(
        "NumPy",
        "np.where(mask, x, y)",
        f"{ARRAY}\nmask, y = x > 0, -x",
        LETS_GO,
        "multiarray/multiarraymodule.c: NPY_BEGIN_THREADS in PyArray_Where",
    ),
    Row(
        "NumPy",
        "np.nonzero(mask)",
        f"{ARRAY}\nmask = x > 0",
        LETS_GO,
        "multiarray/item_selection.c: NPY_BEGIN_THREADS in PyArray_Nonzero",
    ),
    Row("NumPy", "x.astype(np.float32)", ARRAY, LETS_GO, "multiarray/array_assign_array.c: NPY_BEGIN_THREADS"),
    Row("NumPy", "x.copy()", ARRAY, LETS_GO, "multiarray/array_assign_array.c: NPY_BEGIN_THREADS"),
    Row(
        "NumPy",
        "x.astype(str)",
        f"{RNG}\nx = rng.random(5_000)",
        why=f"the cast makes Python strings and keeps the GIL; {CLEARS}",
    ),
    Row("NumPy", "x.tobytes()", ARRAY, HOLDS, "multiarray/convert.c: copies with PyBytes_FromStringAndSize"),
    Row("NumPy", "x.tolist()", SHORT, HOLDS, "multiarray/convert.c: makes Python objects"),
    Row(
        "NumPy",
        "np.array(numbers)",
        f"import numpy as np\n{NUMBERS}",
        HOLDS,
        "multiarray/array_coercion.c: reads Python objects",
    ),
    Row(
        "NumPy",
        "np.histogram(x, 100)",
        ARRAY,
        LETS_GO,
        "lib/_histograms_impl.py: ufuncs and bincount",
    ),
    Row(
        "NumPy",
        "np.bincount(whole)",
        WHOLE,
        LETS_GO,
        "multiarray/compiled_base.c: seeks the largest with the GIL, NPY_BEGIN_ALLOW_THREADS around the counting",
    ),
    Row(
        "NumPy",
        "np.save(path, x)",
        f'{ARRAY}\nimport tempfile\npath = tempfile.mkdtemp() + "/x.npy"',
        LETS_GO,
        "multiarray/convert.c: NPY_BEGIN_ALLOW_THREADS around fwrite",
    ),
    Row(
        "NumPy",
        "np.loadtxt(lines)",
        'import numpy as np\nlines = ["1.5 2.5 3.5"] * 10_000',
        HOLDS,
        "multiarray/textreading never lets go",
    ),
    Row("NumPy", "rng.standard_normal(1_000_000)", RNG, LETS_GO, "random/_common.pyx: with lock, nogil"),
    Row("NumPy", "rng.integers(0, 100, 1_000_000)", RNG, LETS_GO, "random/_bounded_integers.pyx.in: with lock, nogil"),
    Row("NumPy", "rng.shuffle(x)", ARRAY, LETS_GO, "random/_generator.pyx: with self.lock, nogil"),
    # SciPy
    Row(
        "SciPy",
        "ndimage.gaussian_filter(image, 3)",
        f"{SMALL_IMAGE}\nfrom scipy import ndimage",
        LETS_GO,
        "ndimage/src/ni_filters.c: NPY_BEGIN_THREADS in NI_Correlate1D",
    ),
    Row(
        "SciPy",
        "scipy.fft.fft(x)",
        f"{SHORT}\nimport scipy.fft",
        LETS_GO,
        "fft/_pocketfft/pypocketfft.cxx: py::gil_scoped_release",
    ),
    Row(
        "SciPy",
        "scipy.linalg.lu(a)",
        f"{MATRICES}\nimport scipy.linalg",
        why=f"LAPACK runs with the GIL (SciPy 1.17); {CLEARS}",
    ),
    Row(
        "SciPy",
        "scipy.linalg.solve(a, b)",
        f"{MATRICES}\nimport scipy.linalg",
        why="LAPACK runs with the GIL (SciPy 1.17); what lets go is NumPy's look for infinities before",
    ),
    Row(
        "SciPy",
        "matrix @ vector",
        SPARSE,
        LETS_GO,
        "sparse/sparsetools/sparsetools.cxx: NPY_BEGIN_THREADS in call_thunk",
    ),
    Row(
        "SciPy",
        "signal.lfilter(b, a, x)",
        f"{SHORT}\nfrom scipy import signal\nb, a = [0.25, 0.25], [1.0, -0.5]",
        LETS_GO,
        "signal/_lfilter.cc: NPY_BEGIN_ALLOW_THREADS",
    ),
    Row("SciPy", "signal.fftconvolve(x, x)", f"{SHORT}\nfrom scipy import signal", LETS_GO, "calls scipy.fft"),
    Row("SciPy", "special.gamma(x)", f"{SHORT}\nfrom scipy import special", LETS_GO, "a ufunc"),
    Row(
        "SciPy",
        "optimize.brentq(f, 0, 2)",
        "from scipy import optimize\ndef f(x): return sum(x**n for n in range(100)) - 5",
        YIELDS,
        "f is bytecode",
    ),
    Row(
        "SciPy",
        "tree.query(points)",
        f"{POINTS}\nfrom scipy.spatial import KDTree\ntree = KDTree(points)",
        LETS_GO,
        "spatial/_ckdtree.pyx: with nogil",
    ),
    Row(
        "SciPy",
        "distance.cdist(few, few)",
        f"{POINTS}\nfrom scipy.spatial import distance\nfew = points[:1_000]",
        LETS_GO,
        "spatial/src/distance_pybind.cpp: py::gil_scoped_release",
    ),
    # Pillow
    Row(
        "Pillow",
        "picture.resize((500, 500), Image.Resampling.LANCZOS)",
        PICTURE,
        LETS_GO,
        "src/libImaging/Resample.c: ImagingSectionEnter",
    ),
    Row("Pillow", "picture.convert('L')", PICTURE, LETS_GO, "src/libImaging/Convert.c: ImagingSectionEnter"),
    Row("Pillow", "picture.rotate(30)", PICTURE, LETS_GO, "src/libImaging/Geometry.c: ImagingSectionEnter"),
    Row(
        "Pillow",
        "picture.filter(ImageFilter.GaussianBlur(5))",
        PICTURE,
        LETS_GO,
        "src/libImaging/BoxBlur.c: ImagingSectionEnter",
    ),
    Row(
        "Pillow",
        "picture.filter(ImageFilter.MedianFilter(5))",
        f"{PICTURE}\npicture = picture.crop((0, 0, 200, 200))",
        why="src/libImaging/RankFilter.c never lets go; Filter.c, which adds a border before, does",
    ),
    Row(
        "Pillow",
        "picture.save(path, 'JPEG')",
        f'{PICTURE}\nimport tempfile\npath = tempfile.mkdtemp() + "/picture"',
        LETS_GO,
        "src/encode.c: encode_to_file: ImagingSectionEnter",
    ),
    Row(
        "Pillow",
        "picture.save(io.BytesIO(), 'JPEG')",
        PICTURE,
        ("holds", "yields"),
        "src/encode.c: encode keeps the GIL, 64 KiB at a time, and so does JpegEncode.c; in between is bytecode",
    ),
    Row(
        "Pillow",
        "picture.save(io.BytesIO(), 'PNG', compress_level=1)",
        PICTURE,
        LETS_GO,
        "src/libImaging/ZipEncode.c: ImagingSectionEnter",
    ),
    Row(
        "Pillow",
        "Image.open(packed).load()",
        f'{PICTURE}\npacked = io.BytesIO()\npicture.save(packed, "JPEG")',
        LETS_GO,
        "src/decode.c: ImagingSectionEnter",
    ),
    # OpenCV
    Row(
        "OpenCV",
        "cv2.threshold(image, 127, 255, cv2.THRESH_BINARY)",
        f"{IMAGE}\nimport cv2",
        LETS_GO,
        "modules/python/src2/cv2_util.hpp: PyAllowThreads around every function",
    ),
    Row(
        "OpenCV",
        "cv2.GaussianBlur(image, (9, 9), 0)",
        f"{IMAGE}\nimport cv2",
        LETS_GO,
        "modules/python/src2/cv2_util.hpp: as above",
    ),
    Row(
        "OpenCV",
        "cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)",
        f"{IMAGE}\nimport cv2\ncolour = np.dstack([image, image, image])",
        LETS_GO,
        "modules/python/src2/cv2_util.hpp: as above",
    ),
    Row(
        "OpenCV",
        "cv2.imencode('.png', image)",
        f"{IMAGE}\nimport cv2",
        LETS_GO,
        "modules/python/src2/cv2_util.hpp: as above",
    ),
    # scikit-image
    Row(
        "scikit-image",
        "filters.threshold_otsu(image)",
        f"{IMAGE}\nfrom skimage import filters",
        LETS_GO,
        "calls numpy.bincount, which lets go to count",
    ),
    Row(
        "scikit-image",
        "filters.gaussian(image, 3)",
        f"{SMALL_IMAGE}\nfrom skimage import filters",
        LETS_GO,
        "calls scipy.ndimage.gaussian_filter",
    ),
    Row(
        "scikit-image",
        "filters.rank.median(image, disk)",
        f"{SMALL_IMAGE}\nfrom skimage import filters, morphology\ndisk = morphology.disk(5)",
        LETS_GO,
        "skimage/filters/rank/core_cy.pyx: with nogil",
    ),
    # PyArrow
    Row(
        "PyArrow",
        "compute.sum(column)",
        f"{ARRAY}\nimport pyarrow\nfrom pyarrow import compute\ncolumn = pyarrow.array(x)",
        LETS_GO,
        "pyarrow/_compute.pyx: with nogil",
    ),
    Row(
        "PyArrow",
        "compute.sort_indices(column)",
        f"{SHORT}\nimport pyarrow\nfrom pyarrow import compute\ncolumn = pyarrow.array(x)",
        LETS_GO,
        "pyarrow/_compute.pyx: with nogil",
    ),
    Row(
        "PyArrow",
        "csv.read_csv(pyarrow.BufferReader(text.encode()))",
        f"import pyarrow\nfrom pyarrow import csv\n{CSV}",
        LETS_GO,
        "pyarrow/_csv.pyx: with nogil",
    ),
    Row(
        "PyArrow",
        "pyarrow.array(numbers)",
        f"import pyarrow\n{NUMBERS}",
        why="reads Python objects with the GIL; what Arrow does before and after lets go",
    ),
    # Polars
    Row(
        "Polars",
        'frame.group_by("key").agg(polars.col("value").sum())',
        POLARS,
        LETS_GO,
        "crates/polars-python: queries are collected under Python::detach",
    ),
    Row("Polars", 'frame.sort("value")', POLARS, LETS_GO, "crates/polars-python: as above"),
    Row("Polars", "polars.Series(words)", f"import polars\n{WORDS}", why="reads Python objects"),
    # pandas
    Row("pandas", 'frame.groupby("key").sum()', PANDAS, LETS_GO, "pandas/_libs/groupby.pyx: with nogil in group_sum"),
    Row("pandas", 'frame.sort_values("value")', PANDAS, LETS_GO, "NumPy's argsort and pandas' take let go"),
    Row(
        "pandas",
        "pandas.read_csv(io.StringIO(text))",
        f"import io, pandas\n{CSV}",
        LETS_GO,
        "pandas/_libs/parsers.pyx: with nogil around the tokenizer; text columns are made with the GIL",
    ),
    Row(
        "pandas",
        'frame["value"].map(lambda n: n + 1)',
        f"{PANDAS}\nframe = frame[:20_000]",
        why=f"the function is bytecode; {CLEARS}",
    ),
    Row(
        "pandas",
        "frame.to_csv()",
        f"{PANDAS}\nframe = frame[:5_000]",
        why=f"makes Python objects and writes them with Modules/_csv.c; {CLEARS}",
    ),
    # orjson
    Row(
        "orjson",
        "orjson.dumps(records)",
        f"import orjson\n{RECORDS}",
        HOLDS,
        "README.md: the GIL is held for the duration of the call",
    ),
    Row(
        "orjson",
        "orjson.loads(text)",
        f"import orjson\n{RECORDS}\ntext = orjson.dumps(records)",
        HOLDS,
        "README.md: the GIL is held for the duration of the call",
    ),
    # gilfree
    Row(
        "gilfree",
        'reductions.sum(x, backend="cython", threads=1)',
        f"{ONES}\nfrom gilfree import reductions",
        LETS_GO,
        "ext/reductions.pyx, ext/gil.pxd: lets go around the loop",
    ),
    Row(
        "gilfree",
        'reductions.sum(x, backend="cython-held", threads=1)',
        f"{ONES}\nfrom gilfree import reductions",
        HOLDS,
        "ext/reductions.pyx, ext/gil.pxd: the control, which keeps the GIL",
    ),
    Row(
        "gilfree",
        'reductions.sum(x, backend="python", threads=1)',
        f"{SHORT}\nfrom gilfree import reductions",
        YIELDS,
        "src/gilfree/reductions/_python.py is Python",
    ),
    Row(
        "gilfree",
        'primes.is_prime(n, backend="cython", threads=1)',
        f"{RNG}\nn = rng.integers(0, 2**62, 20_000)\nfrom gilfree import primes",
        LETS_GO,
        "ext/primes.pyx, ext/gil.pxd: lets go around the loop",
    ),
]


# --- probing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """What came of one row."""

    row: Row
    word: str  # a verdict, or NOT_INSTALLED or FAILED
    probe: Probe | None = None
    note: str = ""  # what is missing, why it failed, or who switched the GIL on

    @property
    def differs(self) -> bool:
        """Whether the source lets expect another verdict; sources speak of Pythons that are built with a GIL."""
        if self.probe is None or self.row.expected is None or interpreter.free_threaded_build():
            return False
        return self.word not in self.row.expected

    @property
    def remarks(self) -> list[str]:
        """What to say beside the verdict, the worst first."""
        differs = f"≠ expected: {' or '.join(self.row.expected or ())}" if self.differs else ""
        return [remark for remark in (differs, self.note, self.row.why) if remark]

    def cells(self) -> list[str]:
        """The numbers as words: the GIL is free, the longest hold, the time of a call."""
        if self.probe is None:
            return ["–", "–", "–"]
        share, hold, call = self.probe.free_share, self.probe.longest_hold, self.probe.call
        return [
            "–" if share is None else f"{share:.1%}",
            "–" if hold is None else duration(hold),
            "–" if call is None else duration(call),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        row = self.row
        plain: dict[str, Any] = {
            "group": row.group,
            "statement": row.statement,
            "setup": row.setup,
            "verdict": self.word,
            "expected": row.expected and list(row.expected),
            "differs": self.differs,
            "why": row.why,
            "note": self.note,
            "version": library(row.group),
            "probe": self.probe and self.probe.to_dict(),
        }
        if plain["probe"]:
            del plain["probe"]["waits"]  # hundreds a row, and "stalls" sums them up
        return plain


def judge(row: Row, seconds: float) -> Found:
    """Probe one row; what is missing and what fails is an answer too.

    A verdict that was not expected is looked at again, for four times as long: on a busy machine few knocks can leave
    open whether a call holds or yields.
    """
    lacking = row.lacking()
    if lacking:
        return Found(row, NOT_INSTALLED, note=f"needs {lacking}")
    found = probe(row, seconds)
    return probe(row, 4 * seconds) if found.differs else found


def probe(row: Row, seconds: float) -> Found:
    """Probe one row for about so long."""
    try:
        seen = probe_in_child(row.statement, row.setup, seconds=seconds, timeout=60 + 4 * seconds)
    except StatementError as error:
        last = str(error).strip().rpartition("\n")[2]
        missing = last.startswith("ModuleNotFoundError")
        return Found(row, NOT_INSTALLED if missing else FAILED, note=last)
    switched = interpreter.free_threaded_build() and not interpreter.gil_enabled() and seen.verdict != "no-gil"
    return Found(row, seen.verdict, seen, note="an import of it switched the GIL on" if switched else "")


@contextmanager
def temporary_files() -> Iterator[None]:
    """Let child processes make their temporary files in a folder that is removed in the end, whatever they do."""
    before = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(prefix="atlas-") as folder:
        os.environ["TMPDIR"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before


@cache
def library(group: str) -> str:
    """The version of a group's library; nothing, where it is not installed."""
    module = GROUPS[group]
    if module is None:
        return f"Python {python()}"
    for name in packages_distributions().get(module, [module]):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""


def python() -> str:
    """Version of this Python, with a t behind it where it was built to run without a GIL."""
    return platform.python_version() + ("t" if interpreter.free_threaded_build() else "")


# --- writing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Atlas:
    """All that was found, and where."""

    machine: dict[str, Any]  # as gilfree.info() has it
    date: str
    found: list[Found]

    def groups(self) -> dict[str, list[Found]]:
        """The findings of each group."""
        names = dict.fromkeys(found.row.group for found in self.found)
        return {name: [found for found in self.found if found.row.group == name] for name in names}

    def where(self) -> str:
        """Where it was found, in a line."""
        here = self.machine
        gil = "with its GIL" if here["gil_enabled"] else "without a GIL"
        system = here["system"].partition("-")[0]  # the rest is for bug reports, and in the JSON
        return f"Python {python()} {gil}, {here['cpu']}, {here['cpus']} CPUs, {system}, {self.date}"

    def summary(self) -> str:
        """How many of each, in a line."""
        counts = Counter(found.word for found in self.found)
        words = [f"{counts[word]} {word}" for word in (*VERDICTS, NOT_INSTALLED, FAILED) if counts[word]]
        differ = sum(found.differs for found in self.found)
        return ", ".join([*words, f"{differ} not as expected"])

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"machine": self.machine, "date": self.date, "rows": [found.to_dict() for found in self.found]}


COLUMNS = {
    "GIL free": "the share of a call's time in which another thread can have the GIL",
    "longest hold": "the longest that another thread was kept from the GIL during a call, without the time in which one"
    " of the two had no CPU (where the system tells, as Linux does)",
    "a call": "how long a call took",
}
WORDS = VERDICTS | {
    NOT_INSTALLED: "is not here: see the remark",
    FAILED: "raised an error: see the remark",
}


def markdown(atlas: Atlas) -> str:
    """One table a group."""
    lines = [
        "# Who lets go of the GIL?",
        "",
        f"{len(atlas.found)} callables, each probed in a fresh Python: {atlas.summary()}.",
        "",
        f"{atlas.where()}.",
        "",
        *(f"- **{word}**: {said}" for word, said in COLUMNS.items()),
        *(f"- **{word}**: it {said}" for word, said in WORDS.items() if any(row.word == word for row in atlas.found)),
    ]
    for group, rows in atlas.groups().items():
        lines += ["", f"## {group}", "", library(group) or "not installed", ""]
        lines += ["| callable | verdict | GIL free | longest hold | a call | remarks |", "|---|---|--:|--:|--:|---|"]
        for found in rows:
            cells = [f"`{found.row.statement}`", found.word, *found.cells(), "; ".join(found.remarks)]
            lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


# Okabe and Ito's colours, which people with any kind of colour vision tell apart; and each stands beside its word.
COLOURS = {
    "releases": "#0072b2",
    "no-gil": "#0072b2",
    "partial": "#56b4e9",
    "yields": "#e69f00",
    "holds": "#d55e00",
    "holds-blocked": "#cc79a7",
}

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1b1f; --faint: #5c5c66; --line: #d9d9e0; --bar: #0072b2;
  --track: #e6e6ec; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16161a; --ink: #e9e9ee; --faint: #a3a3ae; --line: #36363f; --bar: #56b4e9;
    --track: #2a2a32; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.8rem; }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.25rem; }
h2 small, .where, .remark, dd, summary { color: var(--faint); }
h2 small { font-weight: normal; font-size: 1rem; }
p { margin: .4rem 0; }
nav { margin: 1rem 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
a { color: inherit; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .5rem 0; }
dt { white-space: nowrap; }
dd { margin: 0; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 600; font-size: .85rem; color: var(--faint); }
th, td { padding: .45rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { padding-left: 0; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; width: 7rem; }
.share { display: inline-block; min-width: 5.5rem; padding-bottom: .45rem;
  background: linear-gradient(90deg, var(--bar) var(--share), var(--track) 0) bottom / 100% .3rem no-repeat; }
.verdict { white-space: nowrap; width: 9.5rem; }
.verdict::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .5em;
  vertical-align: -.08em; border-radius: 50%; border: 2px solid var(--colour, var(--faint));
  background: var(--colour, transparent); }
code { font: .9rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
.remark { margin: 0; font-size: .85rem; overflow-wrap: anywhere; }
.differs { color: var(--ink); font-weight: 600; }
summary { font-size: .85rem; cursor: pointer; }
pre { margin: .3rem 0; padding: .6rem; border: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere;
  font: .8rem/1.5 ui-monospace, monospace; }
@media (max-width: 44rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin: 0 0 .5rem 1.3em; }
  thead { display: block; position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tr { display: block; }
  tr { padding: .8rem 0; border-bottom: 1px solid var(--line); }
  td { display: flex; justify-content: space-between; padding: .1rem 0; border: 0; width: auto !important; }
  td:first-child { display: block; }
  td.number::before { content: attr(data-label); color: var(--faint); }
  td.verdict { justify-content: flex-start; align-items: center; }
}
"""


def page(atlas: Atlas) -> str:
    """One self-contained HTML page."""
    groups = atlas.groups()
    seen = {found.word for found in atlas.found}
    legend = [f"<dt>{escape(word)}</dt><dd>{escape(said)}</dd>" for word, said in COLUMNS.items()]
    legend += [
        f'<dt class="verdict"{_colour(word)}>{escape(word)}</dt><dd>it {escape(said)}</dd>'
        for word, said in WORDS.items()
        if word in seen
    ]
    links = [f'<a href="#{_anchor(group)}">{escape(group)}</a>' for group in groups]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Who lets go of the GIL? An atlas for Python {escape(python())}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>Who lets go of the GIL?</h1>
<p>{len(atlas.found)} callables, each probed in a fresh Python: {escape(atlas.summary())}.</p>
<p class="where">{escape(atlas.where())}.</p>
<dl>{"".join(legend)}</dl>
<nav aria-label="groups">{"".join(links)}</nav>
</header>
<main>
{"".join(_section(group, rows) for group, rows in groups.items())}
</main>
</body>
</html>
"""


def _section(group: str, rows: list[Found]) -> str:
    headings = "".join(f'<th class="number">{escape(name)}</th>' for name in COLUMNS)
    return f"""<section id="{_anchor(group)}">
<h2>{escape(group)} <small>{escape(library(group) or "not installed")}</small></h2>
<table>
<thead><tr><th>callable</th><th>verdict</th>{headings}</tr></thead>
<tbody>
{"".join(map(_line, rows))}</tbody>
</table>
</section>
"""


def _line(found: Found) -> str:
    remarks = "".join(
        f'<p class="remark{" differs" if remark.startswith("≠") else ""}">{escape(remark)}</p>'
        for remark in found.remarks
    )
    setup = f"<details><summary>setup</summary><pre>{escape(found.row.setup)}</pre></details>"
    what = f"<code>{escape(found.row.statement)}</code>{remarks}{setup if found.row.setup != 'pass' else ''}"
    numbers = ""
    for name, cell in zip(COLUMNS, found.cells(), strict=True):
        number = escape(cell)
        if name == "GIL free" and cell != "–":
            number = f'<span class="share" style="--share: {number}">{number}</span>'
        numbers += f'<td class="number" data-label="{escape(name)}">{number}</td>'
    return f'<tr><td>{what}</td><td class="verdict"{_colour(found.word)}>{escape(found.word)}</td>{numbers}</tr>\n'


def _colour(word: str) -> str:
    return f' style="--colour: {COLOURS[word]}"' if word in COLOURS else ""


def _anchor(group: str) -> str:
    return group.lower().replace(" ", "-")


def terminal_table(atlas: Atlas) -> Any:
    """The table for the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("callable", overflow="fold", ratio=1)
    table.add_column("verdict", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for group, rows in atlas.groups().items():
        table.add_section()
        table.add_row(Text(group, style="bold") + Text(f"  {library(group) or NOT_INSTALLED}", style="dim"))
        for found in rows:
            what = Text(f"  {found.row.statement}")
            # What explains a verdict that was expected is left to the files.
            said = found.remarks if found.differs or found.word == FAILED else []
            what.append("".join(f"\n    {remark}" for remark in said), style="red")
            style = "dim" if found.word == NOT_INSTALLED else STYLES.get(found.word, "red")
            table.add_row(what, Text(found.word, style=style), *found.cells())
    return table


# --- the command -----------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Probe the rows asked for, write the files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="rows whose group or statement has it; repeatable"
    )
    parser.add_argument("--time", type=float, default=SECONDS, metavar="SECONDS", help="for each row (default: 1)")
    parser.add_argument("--output", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    options = parser.parse_args(arguments)
    words = [word.casefold() for word in options.only]
    rows = [
        row for row in ROWS if not words or any(word in f"{row.group}\n{row.statement}".casefold() for word in words)
    ]
    if not rows:
        parser.error(f"--only: got {' '.join(options.only)}, which no group and no statement has")
    try:
        check_settings(options.time, INTERVAL)
    except ValueError as error:
        parser.error(f"--time: {error}")
    try:
        return run(rows, options.time, options.output)
    except ModuleNotFoundError as error:
        parser.error(f"the table needs {error.name}: pip install 'gilfree[bench]'")
    except KeyboardInterrupt:
        print("atlas: interrupted", file=sys.stderr)
        return 130


def run(rows: list[Row], seconds: float, folder: Path) -> int:
    """Probe these rows and show what was found; the exit status."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console, moving = Console(), Console(stderr=True)
    if not console.is_terminal:
        console.width = 160  # a file has no width: cut nothing short
    columns = (TextColumn("{task.description:<48.48}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    found: list[Found] = []
    with temporary_files(), Progress(*columns, console=moving, transient=True, disable=not moving.is_terminal) as bar:
        task = bar.add_task("", total=len(rows))
        for row in rows:
            bar.update(task, description=row.statement.replace("[", "\\["))
            found.append(judge(row, seconds))
            bar.advance(task)
    atlas = Atlas(machine.info(), time.strftime("%Y-%m-%d"), found)
    written = write(atlas, folder)
    console.print(terminal_table(atlas))
    for line in (atlas.summary(), atlas.where()):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    print("written: " + ", ".join(map(str, written)), file=sys.stderr)
    return 1 if any(row.differs or row.word == FAILED for row in found) else 0


def write(atlas: Atlas, folder: Path) -> list[Path]:
    """Write the three files, each whole or not at all."""
    stem = folder / f"atlas-{python()}"
    paths = [stem.with_name(stem.name + ending) for ending in (".md", ".html", ".json")]
    record.write_text(markdown(atlas), paths[0])
    record.write_text(page(atlas), paths[1])
    record.write(atlas.to_dict(), paths[2])
    return paths


if __name__ == "__main__":
    sys.exit(main())
