# cython: language_level=3
"""Folds of an array along some of its axes, piece by piece, without the GIL.

Every door takes ``x`` with the axes it keeps first and those it folds last, whatever its strides, and ``kept``, how
many are kept. A row is one element of the result, its elements numbered in C order over the folded axes and cut into
pieces of PIECE (the last may be shorter). ``partials`` has a row for each row and a column for each piece. Unit ``u``
is piece ``u % pieces`` of ``strip`` rows from row ``u // pieces * strip`` on. How the pieces of a row are joined is
part of the answer, so the joins stand here too.

``folds.pxd`` and ``columns.pxd`` have a loop for each fold and element type. Here each is one row of a table, and one
loop over units finds the numbers for all of them: side by side as they are, columns side by side, or copied together.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.math cimport NAN, sqrt
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, llabs, malloc
from libc.string cimport memcpy, memset

cimport columns
cimport folds
from columns cimport STRIP
from folds cimport (
    BLOCK, PIECE, any_real, complex128, integer, longdouble, loose16, loose32, loose64, number, real,
)
from gil cimport PyThreadState, let_go, take_back
from tickets cimport gilfree_store, take

import numpy as np

cdef extern from "exact_sum.h":
    enum:
        EXACT_WORDS
    void exact_add_f64(int64_t *words, const double *x, int64_t n) nogil
    void exact_add_f32(int64_t *words, const float *x, int64_t n) nogil
    void exact_add_word(int64_t *words, const int64_t *other) nogil
    void exact_normalise(int64_t *words) nogil
    double exact_round(const int64_t *words) nogil
    double exact_sum_f64(const double *x, int64_t n) nogil
    double exact_sum_f32(const float *x, int64_t n) nogil

cdef enum:
    MOST_AXES = 64          # NumPy's own limit
    NEAR = 1 << 21          # bytes of a worker's own, touched as they are needed: for copies, and for sums of columns
    GROUP = 1 << 18         # bytes copied together at once: a quarter of most second caches
    TURN = 128              # rows of which columns are copied
    SHORT = 24              # elements of a row that is shorter than the work on a row
    APART = 64              # bytes between copied columns, which would else meet in one set of a cache

# What numbers an array holds.
cdef enum:
    I8
    I16
    I32
    I64
    U8
    U16
    U32
    U64
    F32
    F64
    LD
    C64
    C128
    TYPES

# What is done with them.
cdef enum:
    SUM_INTEGER
    SUM_REAL
    PROD_INTEGER
    PROD_REAL
    PROD_COMPLEX
    MIN
    MAX
    MINMAX
    ARGMIN
    ARGMAX
    VARIANCE
    ANY
    ALL
    COUNT
    NANSUM
    NANMEAN
    NANMIN
    NANMAX
    DOT_INTEGER
    DOT_REAL
    DOT_COMPLEX
    FSUM
    FSUM_WORDS
    FOLDS
    MEAN                        # what is made of a sum or a variance
    STD

ctypedef void (*Leaf)(const char *x, int64_t n, char *result) noexcept nogil
ctypedef void (*TwoLeaf)(const char *x, const char *y, int64_t n, char *result) noexcept nogil
ctypedef void (*Truth)(const char *x, int64_t n, uint64_t mask, char *result) noexcept nogil
ctypedef void (*Columns)(
    const char *x, int64_t stride, int64_t n, int64_t count, char *result, int64_t step
) noexcept nogil
ctypedef void (*SumColumns)(
    const char *x, int64_t stride, int64_t n, int64_t count, char *result, int64_t step, double *near
) noexcept nogil
ctypedef void (*TruthColumns)(
    const char *x, int64_t stride, int64_t n, int64_t count, uint64_t mask, char *result, int64_t step
) noexcept nogil

ctypedef struct Fold:
    Leaf leaf                   # of numbers side by side
    TwoLeaf two                 # the same, of two arrays
    Truth truth                 # the same, that looks at bits
    Columns columns             # of columns side by side; NULL: there is no loop for that
    SumColumns sum_columns      # the same, with room for so many numbers a column
    TruthColumns truth_columns  # the same, that looks at bits
    uint64_t mask               # the bits that are looked at

ctypedef struct Array:
    const char *memory
    Py_ssize_t itemsize
    int kept                    # axes, those of length 1 left out and those that lie in one another joined
    int folded
    Py_ssize_t kept_shape[MOST_AXES]
    Py_ssize_t kept_strides[MOST_AXES]
    Py_ssize_t shape[MOST_AXES]
    Py_ssize_t strides[MOST_AXES]

ctypedef struct Task:
    Fold fold
    Array x
    Array y                     # of a dot product
    int64_t rows
    int64_t n
    int64_t pieces
    int64_t strip
    char *partials
    int64_t size                # bytes of a partial
    int64_t step                # elements of it from one row to the next
    int decisive                # the partial that makes all others needless; -1: there is none

cdef Fold TABLE[FOLDS][TYPES]
memset(TABLE, 0, sizeof(TABLE))


# --- the table -------------------------------------------------------------------------------------------------------

cdef void _exact_words(const number *x, int64_t n, int64_t *words) noexcept nogil:
    cdef double part[BLOCK]
    cdef int64_t block, begin, i
    memset(words, 0, EXACT_WORDS * sizeof(int64_t))
    if number is double:
        exact_add_f64(words, x, n)
    elif number is float:
        exact_add_f32(words, x, n)
    else:
        for block in range((n + BLOCK - 1) // BLOCK):
            begin = block * BLOCK
            for i in range(min(n - begin, <int64_t> BLOCK)):
                part[i] = <double> x[begin + i]
            exact_add_f64(words, part, min(n - begin, <int64_t> BLOCK))


cdef void _exact(const number *x, int64_t n, double *result) noexcept nogil:
    cdef int64_t words[EXACT_WORDS]
    if number is double:
        result[0] = exact_sum_f64(x, n)
    elif number is float:
        result[0] = exact_sum_f32(x, n)
    else:
        _exact_words(x, n, words)
        result[0] = exact_round(words)


cdef void _list_number(int code, const number *_) noexcept:
    TABLE[SUM_REAL][code].leaf = <Leaf> folds.sum_real[number, double]
    TABLE[SUM_REAL][code].sum_columns = <SumColumns> columns.sum_real_columns[number]
    TABLE[PROD_REAL][code].leaf = <Leaf> folds.prod_real[number]
    TABLE[ARGMIN][code].leaf = <Leaf> folds.argmin[number]
    TABLE[ARGMIN][code].columns = <Columns> columns.argmin_columns[number]
    TABLE[ARGMAX][code].leaf = <Leaf> folds.argmax[number]
    TABLE[ARGMAX][code].columns = <Columns> columns.argmax_columns[number]
    TABLE[VARIANCE][code].leaf = <Leaf> folds.variance[number]
    TABLE[VARIANCE][code].sum_columns = <SumColumns> columns.variance_columns[number]
    TABLE[FSUM][code].leaf = <Leaf> _exact[number]
    TABLE[FSUM_WORDS][code].leaf = <Leaf> _exact_words[number]


cdef void _list_integer(int code, const integer *_) noexcept:
    TABLE[SUM_INTEGER][code].leaf = <Leaf> folds.sum_integer[integer]
    TABLE[SUM_INTEGER][code].columns = <Columns> columns.sum_integer_columns[integer]
    TABLE[PROD_INTEGER][code].leaf = <Leaf> folds.prod_integer[integer]
    TABLE[MIN][code].leaf = <Leaf> folds.min_integer[integer]
    TABLE[MIN][code].columns = <Columns> columns.min_integer_columns[integer]
    TABLE[MAX][code].leaf = <Leaf> folds.max_integer[integer]
    TABLE[MAX][code].columns = <Columns> columns.max_integer_columns[integer]
    TABLE[MINMAX][code].leaf = <Leaf> folds.minmax_integer[integer]
    TABLE[DOT_INTEGER][code].two = <TwoLeaf> folds.dot_integer[integer]
    _list_number(code, <const integer *> NULL)
    _list_truth(code, sizeof(integer), <uint64_t> -1)


cdef void _list_any_real(int code, const any_real *_) noexcept:
    TABLE[MIN][code].leaf = <Leaf> folds.min_real[any_real]
    TABLE[MIN][code].columns = <Columns> columns.min_real_columns[any_real]
    TABLE[MAX][code].leaf = <Leaf> folds.max_real[any_real]
    TABLE[MAX][code].columns = <Columns> columns.max_real_columns[any_real]
    TABLE[MINMAX][code].leaf = <Leaf> folds.minmax_real[any_real]


cdef void _list_real(int code, int complex_code, const real *_) noexcept:
    TABLE[NANSUM][code].leaf = <Leaf> folds.nansum[real]
    TABLE[NANMEAN][code].leaf = <Leaf> folds.nanmean[real]
    TABLE[NANMIN][code].leaf = <Leaf> folds.nanmin[real]
    TABLE[NANMAX][code].leaf = <Leaf> folds.nanmax[real]
    TABLE[DOT_REAL][code].two = <TwoLeaf> folds.dot_real[real]
    TABLE[PROD_COMPLEX][complex_code].leaf = <Leaf> folds.prod_complex[real]
    TABLE[DOT_COMPLEX][complex_code].two = <TwoLeaf> folds.dot_complex[real]
    _list_number(code, <const real *> NULL)
    _list_any_real(code, <const real *> NULL)
    _list_truth(code, sizeof(real), (<uint64_t> 1 << (8 * sizeof(real) - 1)) - 1)


cdef void _list_truth(int code, int size, uint64_t mask) noexcept:
    if size == 1:
        TABLE[ANY][code].truth = <Truth> folds.any_word[uint8_t]
        TABLE[ANY][code].truth_columns = <TruthColumns> columns.any_columns[uint8_t]
        TABLE[ALL][code].truth = <Truth> folds.all_word[uint8_t]
        TABLE[ALL][code].truth_columns = <TruthColumns> columns.all_columns[uint8_t]
        TABLE[COUNT][code].truth = <Truth> folds.count_word[uint8_t]
        TABLE[COUNT][code].truth_columns = <TruthColumns> columns.count_columns[uint8_t]
    elif size == 2:
        TABLE[ANY][code].truth = <Truth> folds.any_word[loose16]
        TABLE[ANY][code].truth_columns = <TruthColumns> columns.any_columns[loose16]
        TABLE[ALL][code].truth = <Truth> folds.all_word[loose16]
        TABLE[ALL][code].truth_columns = <TruthColumns> columns.all_columns[loose16]
        TABLE[COUNT][code].truth = <Truth> folds.count_word[loose16]
        TABLE[COUNT][code].truth_columns = <TruthColumns> columns.count_columns[loose16]
    elif size == 4:
        TABLE[ANY][code].truth = <Truth> folds.any_word[loose32]
        TABLE[ANY][code].truth_columns = <TruthColumns> columns.any_columns[loose32]
        TABLE[ALL][code].truth = <Truth> folds.all_word[loose32]
        TABLE[ALL][code].truth_columns = <TruthColumns> columns.all_columns[loose32]
        TABLE[COUNT][code].truth = <Truth> folds.count_word[loose32]
        TABLE[COUNT][code].truth_columns = <TruthColumns> columns.count_columns[loose32]
    else:
        TABLE[ANY][code].truth = <Truth> folds.any_word[loose64]
        TABLE[ANY][code].truth_columns = <TruthColumns> columns.any_columns[loose64]
        TABLE[ALL][code].truth = <Truth> folds.all_word[loose64]
        TABLE[ALL][code].truth_columns = <TruthColumns> columns.all_columns[loose64]
        TABLE[COUNT][code].truth = <Truth> folds.count_word[loose64]
        TABLE[COUNT][code].truth_columns = <TruthColumns> columns.count_columns[loose64]
    for fold in (ANY, ALL, COUNT):
        TABLE[<int> fold][code].mask = mask


_list_integer(I8, <const int8_t *> NULL)
_list_integer(I16, <const int16_t *> NULL)
_list_integer(I32, <const int32_t *> NULL)
_list_integer(I64, <const int64_t *> NULL)
_list_integer(U8, <const uint8_t *> NULL)
_list_integer(U16, <const uint16_t *> NULL)
_list_integer(U32, <const uint32_t *> NULL)
_list_integer(U64, <const uint64_t *> NULL)
_list_real(F32, C64, <const float *> NULL)
_list_real(F64, C128, <const double *> NULL)
_list_any_real(LD, <const longdouble *> NULL)
TABLE[SUM_REAL][LD].leaf = <Leaf> folds.sum_real[longdouble, longdouble]
TABLE[ANY][LD].leaf = <Leaf> folds.any_longdouble
TABLE[ALL][LD].leaf = <Leaf> folds.all_longdouble
TABLE[COUNT][LD].leaf = <Leaf> folds.count_longdouble


# --- what an array looks like ----------------------------------------------------------------------------------------

cdef int _code(const Py_buffer *x) noexcept nogil:
    """Which of the types a buffer holds; TYPES if none: no letter comes after the other byte order's sign."""
    cdef char letter = x.format[0]
    cdef int power = 0
    while power < 3 and <Py_ssize_t> 1 << power < x.itemsize:
        power += 1
    if letter == c"d":
        return F64
    if letter == c"f":
        return F32
    if letter == c"b" or letter == c"h" or letter == c"i" or letter == c"l" or letter == c"q":
        return I8 + power
    if letter == c"?" or letter == c"B" or letter == c"H" or letter == c"I" or letter == c"L" or letter == c"Q":
        return U8 + power
    if letter == c"g":
        return LD
    if letter == c"Z":
        return C64 if x.format[1] == c"f" else C128 if x.format[1] == c"d" else TYPES
    return TYPES


cdef void _look(const Py_buffer *x, int kept, Array *array) noexcept:
    """The axes that count: those of length 1 do not, and two of which one continues the other are one."""
    array.memory = <const char *> x.buf
    array.itemsize = x.itemsize
    array.kept = _join_axes(x, 0, kept, array.kept_shape, array.kept_strides)
    array.folded = _join_axes(x, kept, x.ndim, array.shape, array.strides)
    if array.folded == 0:
        array.folded, array.shape[0], array.strides[0] = 1, 1, x.itemsize


cdef int _join_axes(const Py_buffer *x, int first, int last, Py_ssize_t *shape, Py_ssize_t *strides) noexcept:
    cdef int axis, count = 0
    for axis in range(first, last):
        if x.shape[axis] == 1:
            continue
        if count and strides[count - 1] == x.shape[axis] * x.strides[axis]:
            shape[count - 1] *= x.shape[axis]
            strides[count - 1] = x.strides[axis]
        else:
            shape[count] = x.shape[axis]
            strides[count] = x.strides[axis]
            count += 1
    return count


cdef inline const char *_row(const Array *array, int64_t row) noexcept nogil:
    cdef const char *place = array.memory
    cdef int axis = array.kept - 1
    while axis > 0:
        place += row % array.kept_shape[axis] * array.kept_strides[axis]
        row = row // array.kept_shape[axis]
        axis -= 1
    return place + row * array.kept_strides[0] if axis == 0 else place


cdef inline int64_t _side_by_side(const Array *array, int64_t row, int64_t count) noexcept nogil:
    """How many of ``count`` rows from ``row`` on lie at one distance from one another."""
    cdef int64_t length
    if array.kept == 0:
        return 1
    length = array.kept_shape[array.kept - 1]
    return min(count, length - row % length)


# --- copying numbers together ----------------------------------------------------------------------------------------

cdef void _copy(const char *x, int64_t stride, int64_t n, char *to, int64_t apart, Py_ssize_t itemsize) noexcept nogil:
    """``n`` elements ``stride`` bytes from one another to places ``apart`` bytes from one another."""
    cdef int64_t i
    if stride == itemsize and apart == itemsize:
        memcpy(to, x, n * itemsize)
    elif itemsize == 8:
        for i in range(n):
            (<uint64_t *> (to + i * apart))[0] = (<const loose64 *> (x + i * stride))[0]
    elif itemsize == 4:
        for i in range(n):
            (<uint32_t *> (to + i * apart))[0] = (<const loose32 *> (x + i * stride))[0]
    elif itemsize == 1:
        for i in range(n):
            to[i * apart] = x[i * stride]
    elif itemsize == 2:
        for i in range(n):
            (<uint16_t *> (to + i * apart))[0] = (<const loose16 *> (x + i * stride))[0]
    else:
        for i in range(n):
            memcpy(to + i * apart, x + i * stride, itemsize)


cdef void _pack(const Array *array, const char *row, int64_t begin, int64_t n, char *to) noexcept nogil:
    """The elements [begin, begin + n) of a row, side by side."""
    cdef int last = array.folded - 1
    cdef int64_t length = array.shape[last], rest, column, run, lines, i
    cdef const char *place
    cdef int axis
    while n > 0:
        column = begin % length
        rest = begin // length
        place = row + column * array.strides[last]
        lines = n // length
        axis = last - 1
        if axis >= 0 and column == 0 and lines > 1:
            # Several whole lines whose elements lie across them, as in Fortran order: along the memory, not along them.
            lines = min(lines, array.shape[axis] - rest % array.shape[axis])
        else:
            lines = 1
        while axis >= 0:
            place += rest % array.shape[axis] * array.strides[axis]
            rest = rest // array.shape[axis]
            axis -= 1
        if lines > 1:
            run = lines * length
            if llabs(array.strides[last - 1]) < llabs(array.strides[last]):
                for i in range(length):
                    _copy(
                        place + i * array.strides[last], array.strides[last - 1], lines,
                        to + i * array.itemsize, length * array.itemsize, array.itemsize,
                    )
            else:
                for i in range(lines):
                    _copy(
                        place + i * array.strides[last - 1], array.strides[last], length,
                        to + i * length * array.itemsize, array.itemsize, array.itemsize,
                    )
        else:
            run = min(n, length - column)
            _copy(place, array.strides[last], run, to, array.itemsize, array.itemsize)
        begin += run
        n -= run
        to += run * array.itemsize


# --- units -----------------------------------------------------------------------------------------------------------

cdef inline void _leaf(const Fold *fold, const char *x, const char *y, int64_t n, char *result) noexcept nogil:
    if fold.leaf != NULL:
        fold.leaf(x, n, result)
    elif fold.truth != NULL:
        fold.truth(x, n, fold.mask, result)
    else:
        fold.two(x, y, n, result)


cdef inline bint _has_columns(const Fold *fold) noexcept nogil:
    return fold.columns != NULL or fold.sum_columns != NULL or fold.truth_columns != NULL


cdef inline void _columns(
    const Fold *fold, const char *x, int64_t stride, int64_t n, int64_t count, char *result, int64_t step, char *near
) noexcept nogil:
    if fold.columns != NULL:
        fold.columns(x, stride, n, count, result, step)
    elif fold.sum_columns != NULL:
        fold.sum_columns(x, stride, n, count, result, step, <double *> near)
    else:
        fold.truth_columns(x, stride, n, count, fold.mask, result, step)


cdef inline bint _packed(const Array *array) noexcept nogil:
    return array.folded == 1 and (array.strides[0] == array.itemsize or array.shape[0] == 1)


cdef void _unit(const Task *task, int64_t first, int64_t last, int64_t piece, char *near) noexcept nogil:
    """One piece of the rows [first, last)."""
    cdef const Array *x = &task.x
    cdef const Fold *fold = &task.fold
    cdef int64_t begin = piece * PIECE
    cdef int64_t n = min(task.n - begin, <int64_t> PIECE)
    cdef int64_t row = first, count, j, i, apart, across = 0
    cdef const char *place
    cdef const char *other = NULL
    cdef char *result
    cdef bint many = _has_columns(fold)
    if x.kept > 0:
        across = x.kept_strides[x.kept - 1]
    while row < last:
        place = _row(x, row)
        result = task.partials + (row * task.pieces + piece) * task.size
        if many and n <= SHORT and last - row >= 2 * SHORT and _packed(x):
            # Rows so short that a call for each would take longer: as columns of a copy that is turned round.
            count = min(_side_by_side(x, row, last - row), <int64_t> STRIP)
            for i in range(n):
                _copy(place + i * x.itemsize, across, count, near + i * count * x.itemsize, x.itemsize, x.itemsize)
            _columns(
                fold, near, count * x.itemsize, n, count, result, task.step, near + SHORT * STRIP * x.itemsize
            )
            row += count
            continue
        if near == NULL or _packed(x) and fold.two == NULL:     # nothing has to be copied
            if fold.two != NULL:
                other = _row(&task.y, row) + begin * task.y.itemsize
            _leaf(fold, place + begin * x.itemsize, other, n, result)
            row += 1
            continue
        count = 1
        if x.folded == 1 and x.kept > 0 and fold.two == NULL and llabs(across) < llabs(x.strides[0]):
            count = _side_by_side(x, row, last - row)
            place += begin * x.strides[0]
            if many and across == x.itemsize and count * x.itemsize >= 32:
                count = min(count, <int64_t> STRIP)
                _columns(fold, place, x.strides[0], n, count, result, task.step, near)
                row += count
                continue
            # Whole cache lines at least, or memory would be read several times over; rows that fit the first cache.
            apart = n * x.itemsize + APART
            count = min(count, max(64 // x.itemsize, GROUP // apart))
            for i in range((n + TURN - 1) // TURN):
                for j in range(count):
                    _copy(
                        place + i * TURN * x.strides[0] + j * across, x.strides[0], min(n - i * TURN, <int64_t> TURN),
                        near + j * apart + i * TURN * x.itemsize, x.itemsize, x.itemsize,
                    )
            for j in range(count):
                _leaf(fold, near + j * apart, NULL, n, result + j * task.pieces * task.size)
            row += count
            continue
        _pack(x, place, begin, n, near)
        if fold.two != NULL:
            other = near + PIECE * x.itemsize
            _pack(&task.y, _row(&task.y, row), begin, n, near + PIECE * x.itemsize)
        _leaf(fold, near, other, n, result)
        row += 1


cdef bint _units(const Task *task, int64_t *tickets, Py_ssize_t most, char *near) noexcept nogil:
    cdef int64_t unit = 0, last = 0, row
    while most != 0:
        if not take(tickets, &unit, &last):
            return False
        most -= 1
        while unit < last:
            row = unit // task.pieces * task.strip
            _unit(task, row, min(task.rows, row + task.strip), unit % task.pieces, near)
            if task.decisive >= 0 and task.partials[unit] == task.decisive:
                gilfree_store(tickets, tickets[1])
                return False
            unit += 1
    return True


cdef bint _run(
    int fold, x, y, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release,
) except -1:
    """Fold units of ``x`` into ``partials`` until ``most`` tickets are done or none is left."""
    cdef Task task
    cdef Py_buffer seen, other, results
    cdef PyThreadState *gil
    cdef char *near = NULL
    cdef bint more
    PyObject_GetBuffer(x, &seen, PyBUF_STRIDES | PyBUF_FORMAT)
    _look(&seen, kept, &task.x)
    more = _packed(&task.x)
    PyBuffer_Release(&seen)     # the caller holds the arrays
    if _code(&seen) == TYPES:
        raise TypeError(f"got a buffer of {seen.format.decode()}, expected numbers")
    task.fold = TABLE[fold][_code(&seen)]
    if y is not None:
        PyObject_GetBuffer(y, &other, PyBUF_STRIDES | PyBUF_FORMAT)
        _look(&other, kept, &task.y)
        more = more and _packed(&task.y)
        PyBuffer_Release(&other)
    if not more or _has_columns(&task.fold) and task.x.shape[task.x.folded - 1] <= SHORT:
        near = <char *> malloc(NEAR)
        if near == NULL:
            raise MemoryError
    PyObject_GetBuffer(partials, &results, PyBUF_STRIDES | PyBUF_WRITABLE)
    task.partials = <char *> results.buf
    task.rows, task.pieces = results.shape[0], results.shape[1]
    task.size = results.itemsize * (results.shape[2] if results.ndim > 2 else 1)
    task.step = task.pieces
    PyBuffer_Release(&results)
    task.strip = strip
    task.decisive = -1
    if task.rows == 1 and (fold == ANY or fold == ALL):
        task.decisive = fold == ANY
    task.n = 1
    for i in range(task.x.folded):
        task.n *= task.x.shape[i]
    gil = let_go(release)
    more = _units(&task, &tickets[0], most, near)
    free(near)
    take_back(gil)
    return more


# --- the doors -------------------------------------------------------------------------------------------------------

def sum_integer(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Sums modulo 2**64, as NumPy's."""
    return _run(SUM_INTEGER, x, None, kept, strip, partials, tickets, most, release)


def sum_real(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Sums in double precision: LANES accumulators a block, blocks joined in pairs."""
    return _run(SUM_REAL, x, None, kept, strip, partials, tickets, most, release)


def prod_integer(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Products modulo 2**64."""
    return _run(PROD_INTEGER, x, None, kept, strip, partials, tickets, most, release)


def prod_real(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Products in double precision, in the order of sums."""
    return _run(PROD_REAL, x, None, kept, strip, partials, tickets, most, release)


def prod_complex(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Products of complex numbers."""
    return _run(PROD_COMPLEX, x, None, kept, strip, partials, tickets, most, release)


def min_integer(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    return _run(MIN, x, None, kept, strip, partials, tickets, most, release)


def min_real(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """NaN if there is one, and -0.0 is less than 0.0."""
    return _run(MIN, x, None, kept, strip, partials, tickets, most, release)


def max_integer(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    return _run(MAX, x, None, kept, strip, partials, tickets, most, release)


def max_real(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """NaN if there is one, and -0.0 is less than 0.0."""
    return _run(MAX, x, None, kept, strip, partials, tickets, most, release)


def minmax_integer(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    return _run(MINMAX, x, None, kept, strip, partials, tickets, most, release)


def minmax_real(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Both at once; NaN if there is one."""
    return _run(MINMAX, x, None, kept, strip, partials, tickets, most, release)


def argmin(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """The place of the least number or first NaN, and a key by which pieces are compared."""
    return _run(ARGMIN, x, None, kept, strip, partials, tickets, most, release)


def argmax(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """The place of the greatest number or first NaN, and a key by which pieces are compared."""
    return _run(ARGMAX, x, None, kept, strip, partials, tickets, most, release)


def variance(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Mean, and sum of squared deviations from it."""
    return _run(VARIANCE, x, None, kept, strip, partials, tickets, most, release)


def any(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Whether one is not zero."""
    return _run(ANY, x, None, kept, strip, partials, tickets, most, release)


def all(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Whether none is zero."""
    return _run(ALL, x, None, kept, strip, partials, tickets, most, release)


def count_nonzero(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """How many are not zero."""
    return _run(COUNT, x, None, kept, strip, partials, tickets, most, release)


def nansum(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Sums without the NaNs."""
    return _run(NANSUM, x, None, kept, strip, partials, tickets, most, release)


def nanmean(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """The same, and how many were added."""
    return _run(NANMEAN, x, None, kept, strip, partials, tickets, most, release)


def nanmin(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """NaN only where there is nothing else."""
    return _run(NANMIN, x, None, kept, strip, partials, tickets, most, release)


def nanmax(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """NaN only where there is nothing else."""
    return _run(NANMAX, x, None, kept, strip, partials, tickets, most, release)


def fsum(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Correctly rounded sums of rows of one piece."""
    return _run(FSUM, x, None, kept, strip, partials, tickets, most, release)


def fsum_words(x, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Exact sums, as digits: see exact_sum.h."""
    return _run(FSUM_WORDS, x, None, kept, strip, partials, tickets, most, release)


def dot_integer(x, y, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Sums of products modulo 2**(the numbers' own width)."""
    return _run(DOT_INTEGER, x, y, kept, strip, partials, tickets, most, release)


def dot_real(x, y, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Sums of rounded products, in the order of sums."""
    return _run(DOT_REAL, x, y, kept, strip, partials, tickets, most, release)


def dot_complex(x, y, int kept, int64_t strip, partials, int64_t[::1] tickets, Py_ssize_t most, bint release):
    """Without conjugation."""
    return _run(DOT_COMPLEX, x, y, kept, strip, partials, tickets, most, release)


# --- joins -----------------------------------------------------------------------------------------------------------

def join_sum(folds.total[:, ::1] partials, folds.total[::1] out):
    """Join the pieces of each row into ``out``; overwrites ``partials``, as all joins may."""
    cdef int64_t row
    for row in range(partials.shape[0]):
        out[row] = folds.add_pairs(&partials[row, 0], partials.shape[1])


def join_prod(double[:, ::1] partials, double[::1] out):
    """Join the pieces of each row."""
    cdef int64_t row
    for row in range(partials.shape[0]):
        out[row] = folds.multiply_pairs(&partials[row, 0], partials.shape[1])


def join_prod_complex(double complex[:, ::1] partials, double complex[::1] out):
    """Join the pieces of each row."""
    cdef complex128 product
    cdef int64_t row
    for row in range(partials.shape[0]):
        product = folds.join_pairs(<complex128 *> &partials[row, 0], partials.shape[1], True)
        memcpy(&out[row], &product, sizeof(product))


def join_variance(double[:, :, ::1] partials, int64_t n, double[:, ::1] out):
    """Join the pieces of each row of ``n`` elements."""
    cdef int64_t row
    for row in range(partials.shape[0]):
        folds.join_moments(&partials[row, 0, 0], partials.shape[1], PIECE, n)
        out[row, 0] = partials[row, 0, 0]
        out[row, 1] = partials[row, 0, 1]


cdef int64_t _first_least(const int64_t *partials, int64_t pieces) noexcept nogil:
    cdef int64_t piece, best = 0
    for piece in range(1, pieces):
        if partials[2 * piece + 1] < partials[2 * best + 1]:
            best = piece
    return best * PIECE + partials[2 * best]


def join_arg(int64_t[:, :, ::1] partials, int64_t[::1] out):
    """The place of the first of the least keys, numbered within the row."""
    cdef int64_t row
    for row in range(partials.shape[0]):
        out[row] = _first_least(&partials[row, 0, 0], partials.shape[1])


def join_fsum(int64_t[:, :, ::1] partials, double[::1] out):
    """Add up the digits of each row's pieces and round once."""
    cdef int64_t row, piece
    for row in range(partials.shape[0]):
        for piece in range(1, partials.shape[1]):
            exact_add_word(&partials[row, 0, 0], &partials[row, piece, 0])
        exact_normalise(&partials[row, 0, 0])
        out[row] = exact_round(&partials[row, 0, 0])


# --- small arrays as a whole -----------------------------------------------------------------------------------------
# A call by way of units and tickets takes 20 µs: as long as to read two megabytes. What follows folds an array that one
# worker has to itself, and says what NumPy says, or None where it is none of its business.

cdef enum:
    WHOLE = 1 << 23         # bytes, read in 90 µs: with a second worker, awake after 20 to 50, it takes 100
    MOST_PIECES = 512       # of bytes, in so much
    MOST_ROWS = 1 << 16     # of small arrays that are folded along an axis
    QUIETLY = 1 << 16       # bytes: they take 2 to 5 µs, and letting go beside a busy thread may cost a switch interval

cdef extern from *:
    """
    #include "scratch.h"
    GILFREE_PER_THREAD double whole_partials[2 * 512], whole_ends[512];
    """
    double whole_partials[]     # 2 * MOST_PIECES
    double whole_ends[]         # MOST_PIECES

cdef tuple _SCALARS = (
    np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.float32, np.float64,
)
cdef object _bool = np.bool_, _intp = np.intp, _ndarray = np.ndarray


cdef object _scalar(int code, const char *place):
    """An element as NumPy's scalar."""
    cdef object made = _SCALARS[code]
    cdef double value
    if code == F64 or code == F32:
        value = (<const double *> place)[0] if code == F64 else (<const float *> place)[0]
        return made(value if value == value else NAN)
    if code == I8:
        return made((<const int8_t *> place)[0])
    if code == I16:
        return made((<const int16_t *> place)[0])
    if code == I32:
        return made((<const int32_t *> place)[0])
    if code == I64:
        return made((<const int64_t *> place)[0])
    if code == U8:
        return made((<const uint8_t *> place)[0])
    if code == U16:
        return made((<const uint16_t *> place)[0])
    if code == U32:
        return made((<const uint32_t *> place)[0])
    return made((<const uint64_t *> place)[0])


cdef bint _plain(object x, Py_buffer *seen) except -1:
    """Look at an array; whether its numbers lie side by side in C order, are not too many, and there is one."""
    cdef Py_ssize_t stride
    cdef int axis
    if type(x) is not _ndarray:
        return False
    try:
        PyObject_GetBuffer(x, seen, PyBUF_STRIDES | PyBUF_FORMAT)
    except (BufferError, ValueError):       # dates and objects have no buffer
        return False
    PyBuffer_Release(seen)                  # the caller holds the array
    stride = seen.itemsize
    if seen.len == 0 or seen.len > WHOLE or <Py_ssize_t> seen.buf % stride or _code(seen) >= LD:
        return False
    for axis in range(seen.ndim - 1, -1, -1):
        if seen.strides[axis] != stride and seen.shape[axis] != 1:
            return False
        stride *= seen.shape[axis]
    return True


cdef void _whole(
    int fold, int code, const char *x, const char *y, int64_t n, Py_ssize_t itemsize, char *result
) noexcept nogil:
    """Fold all pieces and join them into ``result``, which has room for an exact sum."""
    cdef double *partials = whole_partials
    cdef double *ends = whole_ends
    cdef int64_t words[EXACT_WORDS]
    cdef const Fold *row = &TABLE[fold][code]
    cdef int64_t pieces = (n + PIECE - 1) // PIECE, piece, m, size, i
    cdef char *near = <char *> partials
    if fold == FSUM and pieces > 1:
        memset(result, 0, sizeof(words))
        for piece in range(pieces):
            m = min(n - piece * PIECE, <int64_t> PIECE)
            TABLE[FSUM_WORDS][code].leaf(x + piece * PIECE * itemsize, m, <char *> words)
            exact_add_word(<int64_t *> result, words)
        exact_normalise(<int64_t *> result)
        (<double *> result)[0] = exact_round(<int64_t *> result)
        return
    if pieces == 1:
        _leaf(row, x, y, n, result)
        return
    size = itemsize if fold == MIN or fold == MAX or fold == NANMIN or fold == NANMAX else 8
    if fold == ANY or fold == ALL:
        size = 1
    if fold == MINMAX:
        size = 2 * itemsize
    if fold == ARGMIN or fold == ARGMAX or fold == VARIANCE or fold == NANMEAN:
        size = 16
    for piece in range(pieces):
        m = min(n - piece * PIECE, <int64_t> PIECE)
        _leaf(
            row, x + piece * PIECE * itemsize, y + piece * PIECE * itemsize if y != NULL else NULL, m,
            near + piece * size,
        )
    if fold == SUM_REAL or fold == NANSUM or fold == DOT_REAL:
        (<double *> result)[0] = folds.add_pairs(partials, pieces)
    elif fold == PROD_REAL:
        (<double *> result)[0] = folds.multiply_pairs(partials, pieces)
    elif fold == SUM_INTEGER or fold == COUNT or fold == DOT_INTEGER:
        TABLE[SUM_INTEGER][U64].leaf(near, pieces, result)
    elif fold == PROD_INTEGER:
        TABLE[PROD_INTEGER][U64].leaf(near, pieces, result)
    elif fold == VARIANCE:
        folds.join_moments(partials, pieces, PIECE, n)
        memcpy(result, partials, 16)
    elif fold == ARGMIN or fold == ARGMAX:
        (<int64_t *> result)[0] = _first_least(<const int64_t *> near, pieces)
    elif fold == ANY or fold == ALL:
        TABLE[fold][U8].truth(near, pieces, 255, result)
    elif fold == MINMAX or fold == NANMEAN:
        for i in range(2):
            for piece in range(pieces):
                memcpy(<char *> ends + piece * (size // 2), near + piece * size + i * (size // 2), size // 2)
            if fold == NANMEAN:
                (<double *> result)[i] = folds.add_pairs(ends, pieces)
            else:
                TABLE[MAX if i else MIN][code].leaf(<char *> ends, pieces, result + i * (size // 2))
    else:
        row.leaf(near, pieces, result)


cdef object _small(int fold, object x, object y):
    """What NumPy's function of that name says of all of ``x``; None where units and tickets are for."""
    cdef Py_buffer seen, other
    cdef char result[EXACT_WORDS * 8]
    cdef PyThreadState *gil
    cdef const char *second = NULL
    cdef double value
    cdef int code, asked = fold
    cdef int64_t n
    if not _plain(x, &seen):
        return None
    code = _code(&seen)
    n = seen.len // seen.itemsize
    if y is not None:
        if not _plain(y, &other) or _code(&other) != code or other.ndim != 1 or seen.ndim != 1 or other.len != seen.len:
            return None
        second = <const char *> other.buf
    cdef bint floats = code == F32 or code == F64
    cdef bint truth = seen.format[0] == c"?"
    if fold == SUM_INTEGER or fold == PROD_INTEGER or fold == DOT_INTEGER:
        fold += floats                  # the row below
    elif fold == MEAN:
        fold = SUM_INTEGER if not floats and seen.itemsize <= 4 else SUM_REAL
    elif fold == STD:
        fold = VARIANCE
    elif fold == NANSUM or fold == NANMEAN or fold == NANMIN or fold == NANMAX:
        if not floats and fold == NANMEAN:
            asked = MEAN
            fold = SUM_INTEGER if seen.itemsize <= 4 else SUM_REAL
        elif not floats:
            fold = SUM_INTEGER if fold == NANSUM else MIN if fold == NANMIN else MAX
    gil = let_go(seen.len > QUIETLY)
    _whole(fold, code, <const char *> seen.buf, second, n, seen.itemsize, result)
    take_back(gil)
    value = (<double *> result)[0]
    if asked == MEAN:
        if fold == SUM_INTEGER:
            value = <double> (<uint64_t *> result)[0] if code >= U8 else <double> (<int64_t *> result)[0]
        value = value / <double> n
    elif asked == VARIANCE or asked == STD:
        value = (<double *> result)[1] / <double> n
        if asked == STD:
            value = sqrt(value)
    elif asked == NANMEAN:
        if (<double *> result)[1] == 0:
            return None                 # to be warned of
        value = value / (<double *> result)[1]
    elif fold == SUM_INTEGER or fold == PROD_INTEGER:
        return _scalar(U64 if code >= U8 and not truth else I64, result)
    elif fold == DOT_INTEGER:
        return _bool((<uint64_t *> result)[0] != 0) if truth else _scalar(code, result)
    elif fold == ANY or fold == ALL:
        return _bool(result[0])
    elif fold == COUNT:
        return (<int64_t *> result)[0]
    elif fold == ARGMIN or fold == ARGMAX:
        return _intp((<int64_t *> result)[0])
    elif fold == MINMAX and truth:
        return _bool(result[0]), _bool(result[1])
    elif fold == MINMAX:
        return _scalar(code, result), _scalar(code, result + seen.itemsize)
    elif fold == MIN or fold == MAX:
        return _bool(result[0]) if truth else _scalar(code, result)
    elif fold == NANMIN or fold == NANMAX:
        made = _scalar(code, result)
        return None if made != made else made
    if asked == FSUM:
        return _SCALARS[F64](value if value == value else NAN)
    return _SCALARS[F32 if code == F32 else F64](value if value == value else NAN)


cdef object _small_rows(int fold, object x, object axis):
    """The same along one axis; None also where a row has more than a piece."""
    cdef Py_buffer seen
    cdef Py_ssize_t shape[MOST_AXES]
    cdef Py_ssize_t strides[MOST_AXES]
    cdef Task task
    cdef PyThreadState *gil
    cdef char *near = NULL
    cdef int code, asked = fold, k, count = 0
    cdef Py_ssize_t along
    if type(x) is not _ndarray or type(axis) is not int or not -MOST_AXES <= axis < MOST_AXES:
        return None
    try:
        PyObject_GetBuffer(x, &seen, PyBUF_STRIDES | PyBUF_FORMAT)
    except (BufferError, ValueError):
        return None
    PyBuffer_Release(&seen)
    along = axis
    if along < 0:
        along += seen.ndim
    code = _code(&seen)
    if not 0 <= along < seen.ndim or seen.len == 0 or seen.len > WHOLE or code >= LD or seen.shape[along] > PIECE:
        return None
    if <Py_ssize_t> seen.buf % seen.itemsize:
        return None
    task.n = seen.shape[along]
    task.rows = seen.len // seen.itemsize // task.n
    if task.rows > MOST_ROWS:
        return None
    cdef list lengths = []
    for k in range(seen.ndim):
        if seen.strides[k] % seen.itemsize:
            return None
        if k != along:
            shape[count], strides[count] = seen.shape[k], seen.strides[k]
            count += 1
            lengths.append(seen.shape[k])
    shape[count], strides[count] = seen.shape[along], seen.strides[along]
    cdef bint floats = code == F32 or code == F64
    cdef bint truth = seen.format[0] == c"?"
    if fold == SUM_INTEGER or fold == PROD_INTEGER:
        fold += floats
    elif fold == MEAN:
        fold = SUM_INTEGER if not floats and seen.itemsize <= 4 else SUM_REAL
    elif fold == STD:
        fold = VARIANCE
    seen.shape, seen.strides = shape, strides
    task.fold = TABLE[fold][code]
    _look(&seen, count, &task.x)
    task.pieces = task.step = 1
    task.size = 8
    if fold == ANY or fold == ALL:
        made = _bool
        task.size = 1
    elif fold == MIN or fold == MAX:
        made = _bool if truth else _SCALARS[code]
        task.size = seen.itemsize
    elif fold == ARGMIN or fold == ARGMAX:
        made = _intp
        task.size = 16
    elif fold == COUNT:
        made = _intp
    elif asked == MEAN or asked == VARIANCE or asked == STD:
        made = _SCALARS[F64]
        task.size = 16 if fold == VARIANCE else 8
    elif fold == SUM_INTEGER or fold == PROD_INTEGER:
        made = _SCALARS[U64 if code >= U8 and not truth else I64]
    else:
        made = _SCALARS[F64]
    cdef object out = np.empty(lengths, made)
    cdef object partials = out if task.size < 16 else np.empty(2 * task.rows, _SCALARS[F64])
    PyObject_GetBuffer(partials, &seen, PyBUF_STRIDES)
    PyBuffer_Release(&seen)
    task.partials = <char *> seen.buf
    if not _packed(&task.x) or _has_columns(&task.fold) and task.n <= SHORT:
        near = <char *> malloc(NEAR)
        if near == NULL:
            raise MemoryError
    gil = let_go(task.rows * task.n * task.x.itemsize > QUIETLY)
    _unit(&task, 0, task.rows, 0, near)
    free(near)
    take_back(gil)
    PyObject_GetBuffer(out, &seen, PyBUF_STRIDES)
    PyBuffer_Release(&seen)
    cdef double *numbers = <double *> seen.buf
    cdef int64_t row
    if task.size == 16 and fold != VARIANCE:
        for row in range(task.rows):
            (<int64_t *> numbers)[row] = (<int64_t *> task.partials)[2 * row]
        return out if lengths else out[()]
    if asked == VARIANCE or asked == STD:
        for row in range(task.rows):
            numbers[row] = (<double *> task.partials)[2 * row + 1] / <double> task.n
            if asked == STD:
                numbers[row] = sqrt(numbers[row])
    elif asked == MEAN:
        for row in range(task.rows):
            if fold == SUM_REAL:
                numbers[row] = numbers[row] / <double> task.n
            elif code >= U8:
                numbers[row] = <double> (<uint64_t *> numbers)[row] / <double> task.n
            else:
                numbers[row] = <double> (<int64_t *> numbers)[row] / <double> task.n
    elif fold == MIN or fold == MAX:
        if code == F32:
            for row in range(task.rows):
                if (<float *> numbers)[row] != (<float *> numbers)[row]:
                    (<float *> numbers)[row] = NAN
            return out if lengths else out[()]
        if code != F64:
            return out if lengths else out[()]
    elif fold != SUM_REAL and fold != PROD_REAL and fold != FSUM:
        return out if lengths else out[()]
    for row in range(task.rows):
        if numbers[row] != numbers[row]:
            numbers[row] = NAN
    if code == F32 and asked != FSUM and fold != MIN and fold != MAX:
        out = out.astype(_SCALARS[F32])
    return out if lengths else out[()]


def small_sum(x, axis=None):
    return _small(SUM_INTEGER, x, None) if axis is None else _small_rows(SUM_INTEGER, x, axis)


def small_prod(x, axis=None):
    return _small(PROD_INTEGER, x, None) if axis is None else _small_rows(PROD_INTEGER, x, axis)


def small_min(x, axis=None):
    return _small(MIN, x, None) if axis is None else _small_rows(MIN, x, axis)


def small_max(x, axis=None):
    return _small(MAX, x, None) if axis is None else _small_rows(MAX, x, axis)


def small_minmax(x, axis=None):
    return _small(MINMAX, x, None) if axis is None else None


def small_argmin(x, axis=None):
    return _small(ARGMIN, x, None) if axis is None else _small_rows(ARGMIN, x, axis)


def small_argmax(x, axis=None):
    return _small(ARGMAX, x, None) if axis is None else _small_rows(ARGMAX, x, axis)


def small_mean(x, axis=None):
    return _small(MEAN, x, None) if axis is None else _small_rows(MEAN, x, axis)


def small_var(x, axis=None):
    return _small(VARIANCE, x, None) if axis is None else _small_rows(VARIANCE, x, axis)


def small_std(x, axis=None):
    return _small(STD, x, None) if axis is None else _small_rows(STD, x, axis)


def small_any(x, axis=None):
    return _small(ANY, x, None) if axis is None else _small_rows(ANY, x, axis)


def small_all(x, axis=None):
    return _small(ALL, x, None) if axis is None else _small_rows(ALL, x, axis)


def small_count_nonzero(x, axis=None):
    return _small(COUNT, x, None) if axis is None else _small_rows(COUNT, x, axis)


def small_fsum(x, axis=None):
    return _small(FSUM, x, None) if axis is None else _small_rows(FSUM, x, axis)


def small_nansum(x, axis=None):
    return _small(NANSUM, x, None) if axis is None else None


def small_nanmean(x, axis=None):
    return _small(NANMEAN, x, None) if axis is None else None


def small_nanmin(x, axis=None):
    return _small(NANMIN, x, None) if axis is None else None


def small_nanmax(x, axis=None):
    return _small(NANMAX, x, None) if axis is None else None


def small_dot(x, y, axis=None):
    return _small(DOT_INTEGER, x, y) if axis is None else None
