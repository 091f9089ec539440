# cython: language_level=3
"""The runs of bright pixels in a line, and the sets of those that touch: what hysteresis is made of.

A run is a row of neighbours that are at least ``least``. Sets are trees of ``parents`` whose root is the lowest number;
``seeds`` tells of a root whether its set has a pixel that is at least ``seed``.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

from levels cimport pixel


cdef inline int64_t runs_in(const pixel *line, int64_t n, pixel least) noexcept nogil:
    # As many as begin: at least ``least`` after a pixel that is not. Narrow sums of short stretches vectorise well.
    cdef int64_t found = line[0] >= least, i = 1, end
    cdef uint8_t some
    while i < n:
        end = min(n, i + 255)
        some = 0
        for i in range(i, end):
            some += <uint8_t> (line[i] >= least) & <uint8_t> (not line[i - 1] >= least)
        found += some
        i = end
    return found


cdef inline void runs_of(
    const pixel *line, int64_t n, pixel least, pixel seed, int64_t *edges, int64_t most, uint8_t *seeds
) noexcept nogil:
    # Where nothing changes for eight pixels, they are passed by at once. Where something does, edges are written at
    # every pixel and kept at some, without a branch that a processor would have to guess; but for the last ones, after
    # which would come those of another line.
    cdef uint8_t flags[257]
    cdef uint8_t turns[264]
    cdef uint8_t reach[264]
    cdef uint8_t bright = 0
    cdef uint64_t turning, reaching
    cdef int64_t i = 0, m, k, j, found = 0
    flags[0] = 0
    while i < n:
        m = min(<int64_t> 256, n - i)
        memset(turns + m, 0, 8)
        memset(reach + m, 0, 8)
        for k in range(m):
            flags[k + 1] = line[i + k] >= least
        for k in range(m):
            reach[k] = line[i + k] >= seed
        for k in range(m):
            turns[k] = flags[k + 1] ^ flags[k]
        for k in range(0, m, 8):
            memcpy(&turning, turns + k, 8)
            memcpy(&reaching, reach + k, 8)
            if turning == 0:
                if reaching != 0:
                    bright = 1
                    seeds[(found - 1) >> 1] = 1
            elif found + 8 < most:
                for j in range(k, k + 8):
                    edges[found] = i + j
                    found += turns[j]
                    bright = (bright & ((turns[j] & found) ^ 1)) | reach[j]
                    seeds[(found - (found > 0)) >> 1] = bright
            else:
                for j in range(k, k + 8):
                    if turns[j]:
                        edges[found] = i + j
                        found += 1
                        if found & 1:
                            bright = 0
                            seeds[found >> 1] = 0
                    if reach[j]:
                        bright = 1
                        seeds[found >> 1] = 1
        flags[0] = flags[m]
        i += m
    if found < most:
        edges[found] = n


cdef inline void unite(int64_t *parents, uint8_t *seeds, int64_t a, int64_t b) noexcept nogil:
    if parents[a] == parents[b]:
        return
    # Each step towards a root shortens the way for the next one.
    while parents[a] != a:
        parents[a] = parents[parents[a]]
        a = parents[a]
    while parents[b] != b:
        parents[b] = parents[parents[b]]
        b = parents[b]
    if a < b:
        parents[b] = a
        seeds[a] |= seeds[b]
    elif b < a:
        parents[a] = b
        seeds[b] |= seeds[a]


cdef inline void unite_lines(
    const int64_t *begins, const int64_t *runs, int64_t *parents, uint8_t *seeds,
    int64_t before, int64_t line, int64_t width, bint flat,
) noexcept nogil:
    cdef int64_t a = begins[before], b = begins[line], ahead
    cdef int64_t a_end = begins[before + 1], b_end = begins[line + 1]
    if flat:
        if a < a_end and b < b_end and runs[2 * a_end - 1] == width and runs[2 * b] == 0:
            unite(parents, seeds, a_end - 1, b)
        return
    while a < a_end and b < b_end:
        if runs[2 * a] < runs[2 * b + 1] and runs[2 * b] < runs[2 * a + 1]:
            unite(parents, seeds, a, b)
        ahead = runs[2 * a + 1] < runs[2 * b + 1]
        a += ahead
        b += ahead ^ 1
