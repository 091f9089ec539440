"""Every way to make a dtype meets every public function: the plain array's answer or an error, and never a crash."""

import child

# In a process of its own: what goes wrong here may end it.
CODE = """
import faulthandler, warnings
import numpy as np
from gilfree import pixels, primes, reductions
faulthandler.dump_traceback_later(100, exit=True)
warnings.simplefilter("ignore")

def fields(base):
    size = np.dtype(base).itemsize
    return np.dtype((base, [(f"byte {i}", "u1") for i in range(size)]))

plain = "? b B h H i I l L q Q n N p P e f d g F D G".split()
numbers = np.arange(1, 41)
cases = {}   # what is in it: the array, and the plain array that has the same answer, or None if there is none
for char in plain:
    base = np.dtype(char)
    same = numbers.astype(base)
    cases[f"{char} with fields"] = same.view(fields(base)), same
    cases[f"{char} with metadata"] = same.astype(np.dtype(base, metadata={"unit": "m"})), same
    swapped = base.newbyteorder(">")
    cases[f"{char} with fields, swapped"] = same.astype(swapped).view(fields(swapped)), same
    cases[f"{char} in arrays"] = np.frombuffer(same.tobytes(), (base, (2,))).reshape(40), same
    record = np.zeros(40, [("before", "u1"), ("number", base), ("after", "u1")])
    record["number"] = same
    cases[f"{char} in packed records"] = record["number"], same
    record = np.zeros(40, np.dtype([("before", "u1"), ("number", base)], align=True))
    record["number"] = same
    cases[f"{char} in aligned records"] = record["number"], same
    cases[f"records of {char}"] = record, None
    cases[f"records of overlapping {char}"] = np.zeros(40, {"names": ["a", "b"], "formats": [base, base],
        "offsets": [0, 0]}), None
for name in "S3", "U3", "V8", "O", "M8[s]", "m8[D]":
    cases[name] = np.zeros(40, name), None
cases["strings"] = np.array(["a"] * 40, np.dtypes.StringDType()), None
try:
    import ml_dtypes
    cases["bfloat16"] = numbers.astype(ml_dtypes.bfloat16), None
    cases["int4"] = np.ones(40, ml_dtypes.int4), None
except ImportError:
    pass

calls = {name: getattr(reductions, name) for name in reductions.__all__ if name not in ("reduce", "check_associative")}
calls["dot"] = lambda x, **how: reductions.dot(x, x, **how)
calls["reduce"] = lambda x, **how: reductions.reduce("max", x, backend="python", **how)
calls["is_prime"], calls["next_prime"] = primes.is_prime, primes.next_prime
calls["threshold"] = lambda x, **how: pixels.threshold(x, 5, **how)
calls["otsu"] = lambda x, **how: pixels.threshold_otsu(x, **how)
calls["histogram"] = lambda x, **how: pixels.histogram(x, **how)
calls["local"] = lambda x, **how: pixels.threshold_sauvola(x.reshape(5, 8), window_size=3, **how)
calls["binarize"] = lambda x, **how: pixels.binarize(x.reshape(5, 8), **how)
calls["grayscale"] = lambda x, **how: pixels.grayscale(x[:39].reshape(13, 1, 3), **how)

def outcome(call, x, **how):
    try:
        got = call(x, **how)
    except (TypeError, ValueError, OverflowError) as error:
        # Which dtype it was is the only thing in which two such messages may differ.
        return type(error).__name__
    return [(np.asarray(one).dtype.newbyteorder("="), np.asarray(one).tobytes())
        for one in (got if isinstance(got, tuple) else (got,))]

bad = 0
for name, (array, same) in cases.items():
    for function, call in calls.items():
        for how in ({}, {"threads": 2}):
            got = outcome(call, array, **how)
            expected = got if same is None else outcome(call, same, **how)
            if got != expected or same is None and not isinstance(got, str):
                bad += 1
                print(f"{function} of {name}: {got}, expected {expected}")
print(len(cases), bad)
"""


def test_every_dtype_in_every_function() -> None:
    """Numbers that have fields, metadata or odd addresses are numbers; records, text, dates and objects are refused."""
    *complaints, counts = child.output(CODE).splitlines()
    assert not complaints, "\n".join(complaints)
    assert counts.split()[1] == "0"
