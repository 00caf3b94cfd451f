"""The losses again, as docs/maths writes them: 200 digits, one example at a time.

A float64 reference would be the less exact of the two where the library takes care of
cancellation: a loss of 1e-300 is the square of a tail of 1e-150, and 1 - F has to show
that tail. (mpmath comes with torch, through sympy.)
"""

from itertools import pairwise

import mpmath as mp
import numpy as np

mp.mp.dps = 200


def exact(numbers):
    return [mp.mpf(float(x)) for x in numbers]


def softmax(z):
    e = [mp.e**x for x in exact(z)]
    return [x / mp.fsum(e) for x in e]


def mass_of(target, n_classes):
    """A class index as a distribution; a distribution as it is."""
    if hasattr(target, "__len__"):
        return exact(target)
    return [mp.mpf(int(k == target)) for k in range(n_classes)]


def cross_entropy(z, target):
    p = softmax(z)
    q = mass_of(target, len(p))
    return float(-mp.fsum(b * mp.log(a) for a, b in zip(p, q, strict=True)))


def wasserstein(z, target, cost, p=1):
    mass = softmax(z)
    return float(
        mp.fsum(m * mp.mpf(float(cost[j][target])) ** p for j, m in enumerate(mass))
    )


def squared_emd_on_a_line(z, target, gaps):
    p = softmax(z)
    q = mass_of(target, len(p))
    return float(
        mp.fsum(
            gap * (mp.fsum(p[:k]) - mp.fsum(q[:k])) ** 2
            for k, gap in enumerate(exact(gaps), start=1)
        )
    )


def squared_emd(z, target, cost):
    p = softmax(z)
    q = mass_of(target, len(p))

    def mean_distance(a, b):
        return mp.fsum(
            x * y * mp.mpf(float(cost[i][j]))
            for i, x in enumerate(a)
            for j, y in enumerate(b)
        )

    return float(mean_distance(p, q) - (mean_distance(p, p) + mean_distance(q, q)) / 2)


def cumulative_cross_entropy(z, target, gaps):
    p = softmax(z)
    q = mass_of(target, len(p))
    return float(
        -mp.fsum(
            gap
            * (
                mp.fsum(q[:k]) * mp.log(mp.fsum(p[:k]))
                + mp.fsum(q[k:]) * mp.log(mp.fsum(p[k:]))
            )
            for k, gap in enumerate(exact(gaps), start=1)
        )
    )


def cumulative_cross_entropy_on_a_tree(z, target, parents, lengths):
    p = softmax(z)
    q = mass_of(target, len(p))
    leaves = [node for node in range(len(parents)) if node not in parents]

    def is_below(leaf, node):
        return leaf == node or (leaf != -1 and is_below(parents[leaf], node))

    total = mp.mpf(0)
    for node, length in enumerate(exact(lengths)):
        if parents[node] == -1:
            continue
        for side in (True, False):
            inside = [is_below(leaf, node) == side for leaf in leaves]
            share = mp.fsum(m for m, here in zip(q, inside, strict=True) if here)
            mass = mp.fsum(m for m, here in zip(p, inside, strict=True) if here)
            total -= length * share * mp.log(mass) if share else 0
    return float(total)


def squared_mass(z, target, cost, power, offset):
    p = softmax(z)
    q = mass_of(target, len(p))
    return float(
        mp.fsum(
            m**2 * share * (mp.mpf(float(cost[i][j])) ** mp.mpf(power) + mp.mpf(offset))
            for i, m in enumerate(p)
            for j, share in enumerate(q)
        )
    )


def brier(z, target):
    p = softmax(z)
    q = mass_of(target, len(p))
    return float(mp.fsum((a - b) ** 2 for a, b in zip(p, q, strict=True)))


def cdw_cross_entropy(z, target, cost, power=1):
    p = softmax(z)
    q = mass_of(target, len(p))
    # 1 - p as the sum of the others: at 1e4 logits apart, 200 digits lose it too.
    rest = [mp.fsum(m for j, m in enumerate(p) if j != i) for i in range(len(p))]
    return float(
        -mp.fsum(
            share * mp.mpf(float(cost[i][y])) ** mp.mpf(power) * mp.log(rest[i])
            for y, share in enumerate(q)
            for i in range(len(p))
            if share and cost[i][y]
        )
    )


def slace(z, target, cost, temperature=1):
    p = softmax(z)
    total = mp.mpf(0)
    for y, share in enumerate(mass_of(target, len(p))):
        away = [mp.mpf(float(row[y])) for row in cost]
        soft = [mp.e ** (-d / temperature) for d in away]
        for d, label in zip(away, soft, strict=True):
            near = mp.fsum(
                m for e, m in zip(away, p, strict=True) if e <= d * (1 + mp.mpf(1e-9))
            )
            total -= share * label / mp.fsum(soft) * mp.log(near) if share else 0
    return float(total)


def sinkhorn(z, target, cost, epsilon):
    """Of a class or a distribution, in float64, iterated to its fixed point."""
    log_p = np.array([float(mp.log(m)) if m else -np.inf for m in softmax(z)])
    q = np.array([float(m) for m in mass_of(target, len(log_p))])
    with np.errstate(divide="ignore"):
        log_q = np.log(q)
    cost = np.array(cost, dtype=np.float64)

    def softmin(f, log_mass):
        exponent = log_mass + (f - cost) / epsilon
        top = exponent.max(-1)
        return -epsilon * (top + np.log(np.exp(exponent - top[:, None]).sum(-1)))

    def transport(log_a, log_b):
        f, g = np.zeros(len(log_a)), np.zeros(len(log_a))
        changed = np.inf
        while changed > 1e-13:
            before = f
            f, g = (f + softmin(g, log_b)) / 2, (g + softmin(f, log_a)) / 2
            changed = np.abs(f - before).max()
        f = softmin(g, log_b)
        return np.exp(log_a) @ f + np.exp(log_b) @ g

    ours, theirs = transport(log_p, log_p), transport(log_q, log_q)
    return float(transport(log_p, log_q) - (ours + theirs) / 2)


def histogram_nll(z, y, edges):
    p, b = softmax(z), exact(edges)
    if not b[0] <= y <= b[-1]:
        return float("inf")
    k = max(k for k in range(len(p)) if b[k] <= y)
    return float(mp.log(b[k + 1] - b[k]) - mp.log(p[k]))


def histogram_crps(z, y, edges):
    return _integral(z, y, edges, lambda a, c: (a * a + a * c + c * c) / 3)


def histogram_wasserstein(z, y, edges):
    return _integral(z, y, edges, lambda a, c: (a + c) / 2)


def _integral(z, y, edges, mean):
    """Mean of a power of F left of y, and of 1 - F right of it, times the widths."""
    p, b, y = softmax(z), exact(edges), mp.mpf(float(y))
    total = max(b[0] - y, mp.mpf(0), y - b[-1])
    for k, m in enumerate(p):
        below, above = mp.fsum(p[:k]), mp.fsum(p[k + 1 :])
        cut = min(max(y, b[k]), b[k + 1])
        share = (cut - b[k]) / (b[k + 1] - b[k])
        total += (cut - b[k]) * mean(below, below + m * share)
        total += (b[k + 1] - cut) * mean(above + m * (1 - share), above)
    return float(total)


def two_hot(y, centers):
    x, y = exact(centers), mp.mpf(float(y))
    y = min(max(y, x[0]), x[-1])
    q = [mp.mpf(0)] * len(x)
    i = max(k for k in range(len(x)) if x[k] <= y)
    q[i] = mp.mpf(1)
    if i + 1 < len(x):
        q[i + 1] = (y - x[i]) / (x[i + 1] - x[i])
        q[i] = 1 - q[i + 1]
    return [float(m) for m in q]


def hl_gauss(y, edges, sigma):
    y, sigma = mp.mpf(float(y)), mp.mpf(float(sigma))
    z = [(b - y) / sigma for b in exact(edges)]
    mass = [_normal_between(low, high) for low, high in pairwise(z)]
    return [float(m / mp.fsum(mass)) for m in mass]


def _normal_between(low, high):
    """Of the tail that the interval lies in: near 1, 200 digits are not enough."""
    if low > 0:
        low, high = -high, -low
    return mp.erfc(-high / mp.sqrt(2)) - mp.erfc(-low / mp.sqrt(2))


def smoothed(q, cost, temperature):
    rows = [[mp.e ** (-mp.mpf(float(d)) / temperature) for d in row] for row in cost]
    rows = [[x / mp.fsum(row) for x in row] for row in rows]
    return [
        float(mp.fsum(m * row[j] for m, row in zip(exact(q), rows, strict=True)))
        for j in range(len(q))
    ]
