"""What the two Triton kernels compute alike: formulas as in native/row_terms.hpp."""

# Triton's stubs do not type what its compiler accepts.
# pyright: reportArgumentType=false, reportCallIssue=false

import triton
import triton.language as tl


@triton.jit
def log_add(a, b):
    """log(exp a + exp b)."""
    m = tl.maximum(a, b)
    finite = m > -float("inf")
    # -inf - -inf is NaN, and so is its exponential.
    low = tl.where(finite, tl.minimum(a, b) - m, 0.0)
    return tl.where(finite, m + tl.log(1.0 + tl.exp(low)), m)


@triton.jit
def log_of_one_and(t):
    """log(1 + t) for t >= 0, also where 1 + t rounds to 1."""
    u = 1.0 + t
    lost = tl.where(u > 1.0, u - 1.0, 1.0)
    return tl.where(u > 1.0, tl.log(u) * (t / lost), t)


@triton.jit
def softplus(u):
    """log(1 + exp u)."""
    return tl.maximum(u, 0.0) + log_of_one_and(tl.exp(-tl.abs(u)))


@triton.jit
def log_sum(logs):
    """log of the summed exponentials along a row."""
    m = tl.max(logs, 1)[:, None]
    finite = m > -float("inf")
    some = tl.exp(logs - tl.where(finite, m, 0.0))
    return tl.where(finite, m + tl.log(tl.sum(some, 1)[:, None]), m)


@triton.jit
def raised(distance, power):
    """A distance to a power; 0 stays 0."""
    some = tl.where(distance > 0, distance, 1.0)
    return tl.where(distance > 0, tl.exp(power * tl.log(some)), 0.0)


@triton.jit
def outward(steps, k, origin):
    """Sum of the steps from the origin to each class; minus to its left."""
    right = tl.where(k >= origin, steps, 0.0)
    left = tl.where(k < origin, steps, 0.0)
    return tl.cumsum(right, 1) - right - tl.cumsum(left, 1, reverse=True)


@triton.jit
def cross_entropy(at_truth, top, rest, norm):
    """Minus the log of the true mass; `rest` is the mass beside it, before `norm`."""
    far = tl.log(norm) + (top - at_truth)
    loss = tl.where(at_truth == top, log_of_one_and(rest), far)
    # A maximum may pass NaN over; the sum never does.
    return tl.where(norm == norm, loss, norm)


@triton.jit
def log_odds(log_p, before, after, lighter, heavier, left_of_truth, right_of_truth):
    """At the cut on either side of each class: of the side without the truth.

    `before` and `after` are `log_p` of the neighbors. `lighter` and `heavier` are the
    logs of the masses that lie before and after all these classes, None if there are
    no others.
    """
    from_left = tl.associative_scan(before, 1, log_add)
    to_right = tl.associative_scan(log_p, 1, log_add, reverse=True)
    if lighter is not None:
        from_left = log_add(lighter, from_left)
        to_right = log_add(heavier, to_right)
    left = tl.where(left_of_truth, from_left - to_right, -float("inf"))
    from_left = tl.associative_scan(log_p, 1, log_add)
    to_right = tl.associative_scan(after, 1, log_add, reverse=True)
    if lighter is not None:
        from_left = log_add(lighter, from_left)
        to_right = log_add(heavier, to_right)
    return left, tl.where(right_of_truth, to_right - from_left, -float("inf"))


@triton.jit
def weighed(odds, gap):
    """Log odds with the gap at their cut as a factor.

    Where only impossible classes lie on the right side no logit can help.
    """
    return tl.where(odds < float("inf"), odds + tl.log(gap), -float("inf"))


@triton.jit
def cut(edges, n_classes, after, value):
    """Bin that a number cuts, its share of the bin, how far outside all bins it lies.

    `after` counts the edges that are not above the number.
    """
    t = tl.minimum(tl.maximum(after, 1), n_classes) - 1
    low, high = tl.load(edges + t), tl.load(edges + t + 1)
    share = (value - low) / (high - low)
    share = tl.minimum(tl.maximum(share, 0.0), 1.0)
    too_low = tl.maximum(tl.load(edges) - value, 0.0)
    too_high = tl.maximum(value - tl.load(edges + n_classes), 0.0)
    return t, share.to(tl.float32), (too_low + too_high).to(tl.float32)


@triton.jit
def near_the_number(a, b, pt, wt, s):
    """Of the bin with the number: slope at its class, on either side, and the score."""
    low, up = wt * s, wt * (1.0 - s)
    c, g = a + pt * s, b + pt * (1.0 - s)
    at = (low * s * (a + 2.0 * c) + up * (1.0 - s) * (b + 2.0 * g)) / 3.0
    score = low * (a * a + a * c + c * c) + up * (b * b + b * g + g * g)
    return at, low * (a + c), up * (b + g), score


@triton.jit
def crps_steps(p, p_after, below, above, w, w_after, k, t, at, left, right):
    """How the slope of the CRPS changes from each class to the next.

    Both parts of a step have one sign away from the number: summed from the heaviest
    class outward nothing cancels, as differences of slopes would.
    """
    here = tl.where(k < t, -w * (below - p / 3.0), w * (above + p / 3.0))
    here = tl.where(k == t, right - at, here)
    after = w_after * (above - p_after / 3.0)
    after = tl.where(k + 1 < t, -w_after * (below + p_after / 3.0), after)
    return here + tl.where(k + 1 == t, at - left, after)


@triton.jit
def crps_squares(p, below, above, w, k, t):
    """Integral of the squared miss over each bin but that of the number, times 3."""
    outer = tl.where(k < t, below - p, above)
    inner = tl.where(k < t, below, above + p)
    squares = outer * outer + outer * inner + inner * inner
    return tl.where(k == t, 0.0, w * squares)
