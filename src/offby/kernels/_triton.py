"""The Triton twins: a whole row in registers, one read and one write of the logits.

Formulas as in native/row.hpp, with the slopes summed outward from the heaviest class of
each row, so that nothing cancels whichever class that is. Rows too long for registers
are read three times, a chunk at a time: for the mass of each chunk, for the steps of
its slopes, and for the gradient.
"""

# Triton's stubs do not type what its compiler accepts.
# pyright: reportArgumentType=false, reportCallIssue=false
# pyright: reportPossiblyUnboundVariable=false

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from offby.kernels._library import empty_gradient, walkable

LONGEST = 16384
"""Classes that fit into the registers of a program."""
CHUNK = 4096
"""Of longer rows so many are held at a time."""


@triton.jit
def _log_add(a, b):
    m = tl.maximum(a, b)
    finite = m > -float("inf")
    # -inf - -inf is NaN, and so is its exponential.
    low = tl.where(finite, tl.minimum(a, b) - m, 0.0)
    return tl.where(finite, m + tl.log(1.0 + tl.exp(low)), m)


@triton.jit
def _log_of_one_and(t):
    """log(1 + t) for t >= 0, also where 1 + t rounds to 1."""
    u = 1.0 + t
    lost = tl.where(u > 1.0, u - 1.0, 1.0)
    return tl.where(u > 1.0, tl.log(u) * (t / lost), t)


@triton.jit
def _softplus(u):
    return tl.maximum(u, 0.0) + _log_of_one_and(tl.exp(-tl.abs(u)))


@triton.jit
def _outward(steps, k, origin):
    """Sum of the steps from the origin to each class; minus to its left."""
    right = tl.where(k >= origin, steps, 0.0)
    left = tl.where(k < origin, steps, 0.0)
    return tl.cumsum(right, 1) - right - tl.cumsum(left, 1, reverse=True)


@triton.jit
def _log_sum(logs):
    """log of the summed exponentials along a row."""
    m = tl.max(logs, 1)[:, None]
    finite = m > -float("inf")
    some = tl.exp(logs - tl.where(finite, m, 0.0))
    return tl.where(finite, m + tl.log(tl.sum(some, 1)[:, None]), m)


@triton.jit
def _raised(distance, power):
    some = tl.where(distance > 0, distance, 1.0)
    return tl.where(distance > 0, tl.exp(power * tl.log(some)), 0.0)


@triton.jit
def _near_the_number(a, b, pt, wt, s):
    """Of the bin with the number: slope at its class, on either side, and the score."""
    low, up = wt * s, wt * (1.0 - s)
    c, g = a + pt * s, b + pt * (1.0 - s)
    at = (low * s * (a + 2.0 * c) + up * (1.0 - s) * (b + 2.0 * g)) / 3.0
    score = low * (a * a + a * c + c * c) + up * (b * b + b * g + g * g)
    return at, low * (a + c), up * (b + g), score


@triton.jit
def _crps_steps(p, p_after, below, above, w, w_after, k, t, at, left, right):
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
def _crps_squares(p, below, above, w, k, t):
    """Integral of the squared miss over each bin but that of the number, times 3."""
    outer = tl.where(k < t, below - p, above)
    inner = tl.where(k < t, below, above + p)
    squares = outer * outer + outer * inner + inner * inner
    return tl.where(k == t, 0.0, w * squares)


@triton.jit
def _rows(
    logits,
    index,
    share,
    outside,
    bin_of,
    gap,
    place,
    width,
    loss,
    gradient,
    n_rows,
    inner,
    n_classes,
    x_outer,
    x_inner,
    x_class,
    g_outer,
    g_inner,
    g_class,
    ce,
    w1,
    emd2,
    cce,
    crps,
    power,
    CE: tl.constexpr,
    W1: tl.constexpr,
    EMD2: tl.constexpr,
    CCE: tl.constexpr,
    CRPS: tl.constexpr,
    LINE: tl.constexpr,
    POWER: tl.constexpr,
    SLOPES: tl.constexpr,
    ROWS: tl.constexpr,
    WIDE: tl.constexpr,
):
    r = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    real = r < n_rows
    columns = tl.arange(0, WIDE)
    k = columns[None, :]
    inside = k < n_classes
    here = real[:, None] & inside
    row = logits + ((r // inner) * x_outer + (r % inner) * x_inner)[:, None]
    cell = row + k.to(tl.int64) * x_class
    nothing = -float("inf")
    x = tl.load(cell, mask=here, other=nothing).to(tl.float32)
    y = tl.load(index + r, mask=real, other=0)
    known = (y >= 0) & (y < n_classes)
    y = tl.where(known, y, 0).to(tl.int32)[:, None]
    below, true = k < y, k == y

    top = tl.where(real, tl.max(x, 1), 0.0)[:, None]
    e = tl.where(here, tl.exp(x - top), 0.0)
    rest = tl.sum(tl.where(true, 0.0, e), 1)[:, None]
    norm = rest + tl.sum(tl.where(true, e, 0.0), 1)[:, None]
    norm = tl.where(real[:, None], norm, 1.0)
    p = e / norm
    mode = tl.argmax(x, 1)[:, None]
    value = tl.zeros([ROWS, 1], tl.float32)
    h = tl.zeros([ROWS, WIDE], tl.float32)
    push = tl.zeros([ROWS, WIDE], tl.float32)
    if LINE:
        d = tl.load(gap + columns, mask=columns < n_classes, other=0.0)[None, :]
        away = tl.load(place + columns, mask=columns < n_classes, other=0.0)[None, :]
        away = tl.abs(away - tl.load(place + y))
    if EMD2 or CCE or CRPS:
        # A suffix sum less its own term would cancel: the next class is read again.
        follows = real[:, None] & (k < n_classes - 1)
        after = tl.load(cell + x_class, mask=follows, other=nothing).to(tl.float32)
    if CE:
        xy = tl.sum(tl.where(true, x, 0.0), 1)[:, None]
        far = tl.log(norm) + (top - xy)
        near = tl.where(xy == top, _log_of_one_and(rest), far)
        value += ce * tl.where(norm == norm, near, norm)
        push += ce * tl.where(true, -rest / norm, p)
    if W1:
        cost = away
        if POWER:
            cost = _raised(away, power)
        value += w1 * tl.sum(p * cost, 1)[:, None]
        h += w1 * (cost - tl.sum(tl.where(k == mode, cost, 0.0), 1)[:, None])
    if EMD2 or CRPS:
        p_after = tl.where(follows, tl.exp(after - top), 0.0) / norm
        up_to, beyond = tl.cumsum(p, 1), tl.cumsum(p_after, 1, reverse=True)
    if EMD2:
        f = tl.where(below, up_to, beyond)
        value += emd2 * tl.sum(d * f * f, 1)[:, None]
        h += emd2 * 2.0 * _outward(d * tl.where(below, -f, f), k, mode)
    if CCE:
        behind = real[:, None] & (k > 0) & inside
        before = tl.load(cell - x_class, mask=behind, other=nothing).to(tl.float32)
        cut = (columns > 0) & (columns < n_classes)
        d_before = tl.load(gap + columns - 1, mask=cut, other=0.0)[None, :]
        # One after the other: a sum of the two would drop the digits of the smaller.
        log_p = (x - top) - tl.log(norm)
        before = (before - top) - tl.log(norm)
        after = (after - top) - tl.log(norm)
        from_left = tl.associative_scan(before, 1, _log_add)
        to_right = tl.associative_scan(log_p, 1, _log_add, reverse=True)
        left = tl.where(behind & (k <= y), from_left - to_right, nothing)
        from_left = tl.associative_scan(log_p, 1, _log_add)
        to_right = tl.associative_scan(after, 1, _log_add, reverse=True)
        right = tl.where(follows & (k >= y), to_right - from_left, nothing)
        every = d_before * _softplus(left) + d * _softplus(right)
        value += cce * tl.sum(every, 1)[:, None]
        # Where only impossible classes lie on the right side no logit can help.
        left = tl.where(left < float("inf"), left + tl.log(d_before), nothing)
        right = tl.where(right < float("inf"), right + tl.log(d), nothing)
        so_far = tl.associative_scan(left, 1, _log_add)
        from_here = tl.associative_scan(right, 1, _log_add, reverse=True)
        whole_left = tl.max(so_far, 1)[:, None]
        whole_right = tl.max(from_here, 1)[:, None]
        light = tl.where(
            k <= y, _log_add(so_far, whole_right), _log_add(from_here, whole_left)
        )
        push += cce * (p * away - tl.exp(log_p + light))
    if CRPS:
        t = tl.load(bin_of + r, mask=real, other=0).to(tl.int32)[:, None]
        s = tl.load(share + r, mask=real, other=0.0)[:, None]
        w = tl.load(width + columns, mask=columns < n_classes, other=0.0)[None, :]
        next_in = columns < n_classes - 1
        w_after = tl.load(width + columns + 1, mask=next_in, other=0.0)[None, :]
        a = tl.sum(tl.where(k < t, p, 0.0), 1)[:, None]
        b = tl.sum(tl.where(k > t, p, 0.0), 1)[:, None]
        pt = tl.sum(tl.where(k == t, p, 0.0), 1)[:, None]
        wt = tl.sum(tl.where(k == t, w, 0.0), 1)[:, None]
        at, left, right, score = _near_the_number(a, b, pt, wt, s)
        squares = tl.sum(_crps_squares(p, up_to, beyond, w, k, t), 1)[:, None]
        far_out = tl.load(outside + r, mask=real, other=0.0)[:, None]
        value += crps * ((squares + score) / 3.0 + far_out)
        steps = _crps_steps(
            p, p_after, up_to, beyond, w, w_after, k, t, at, left, right
        )
        h += crps * _outward(tl.where(follows, steps, 0.0), k, mode)

    value = tl.where(known[:, None], value, float("nan"))
    tl.store(loss + r[:, None], value, mask=real[:, None])
    if SLOPES:
        g = push + p * (h - tl.sum(p * h, 1)[:, None])
        g = tl.where(known[:, None], g, 0.0)
        row = gradient + ((r // inner) * g_outer + (r % inner) * g_inner)[:, None]
        to = row + k.to(tl.int64) * g_class
        tl.store(to, g.to(gradient.dtype.element_ty), mask=here)


@triton.jit
def _long_rows(
    logits,
    index,
    share,
    outside,
    bin_of,
    gap,
    place,
    width,
    loss,
    gradient,
    inner,
    n_classes,
    x_outer,
    x_inner,
    x_class,
    g_outer,
    g_inner,
    g_class,
    chunks,
    ce,
    w1,
    emd2,
    cce,
    crps,
    power,
    CE: tl.constexpr,
    W1: tl.constexpr,
    EMD2: tl.constexpr,
    CCE: tl.constexpr,
    CRPS: tl.constexpr,
    LINE: tl.constexpr,
    POWER: tl.constexpr,
    SLOPES: tl.constexpr,
    MOST: tl.constexpr,
    WIDE: tl.constexpr,
):
    """One row, a chunk of WIDE classes at a time.

    Vectors of MOST hold what each chunk adds up to: what lies before a chunk, and what
    after it, is then a sum of a few numbers, with nothing subtracted.
    """
    r = tl.program_id(0).to(tl.int64)
    row = logits + (r // inner) * x_outer + (r % inner) * x_inner
    to = gradient + (r // inner) * g_outer + (r % inner) * g_inner
    columns = tl.arange(0, WIDE)[None, :]
    chunk = tl.arange(0, MOST)[None, :]
    nothing = -float("inf")
    none = tl.zeros([1, MOST], tl.float32)
    zero = tl.zeros([1, 1], tl.float32)

    y = tl.load(index + r)
    known = (y >= 0) & (y < n_classes)
    y = zero.to(tl.int32) + tl.where(known, y, 0).to(tl.int32)
    xy = tl.load(row + y.to(tl.int64) * x_class).to(tl.float32)
    t = y
    if CRPS:
        t = zero.to(tl.int32) + tl.load(bin_of + r).to(tl.int32)

    # Heaviest class, and the mass of each chunk relative to the heaviest one in it.
    top, mode = zero + nothing, y
    tops, sums = none + nothing, none
    a, b, pt = zero, zero, zero
    for c in range(0, chunks):
        k = c * WIDE + columns
        x = tl.load(row + k.to(tl.int64) * x_class, mask=k < n_classes, other=nothing)
        x = x.to(tl.float32)
        m = tl.max(x, 1)[:, None]
        mode = tl.where(m > top, c * WIDE + tl.argmax(x, 1)[:, None], mode)
        higher = tl.maximum(m, top)
        e = tl.where(k < n_classes, tl.exp(x - tl.where(m > nothing, m, 0.0)), 0.0)
        tops = tl.where(chunk == c, m, tops)
        sums = tl.where(chunk == c, tl.sum(e, 1)[:, None], sums)
        if CRPS:
            now = tl.where(m > nothing, tl.exp(m - higher), 0.0)
            old = tl.where(top > nothing, tl.exp(top - higher), 0.0)
            a = a * old + now * tl.sum(tl.where(k < t, e, 0.0), 1)[:, None]
            b = b * old + now * tl.sum(tl.where(k > t, e, 0.0), 1)[:, None]
            pt = pt * old + now * tl.sum(tl.where(k == t, e, 0.0), 1)[:, None]
        top = higher
    mass = sums * tl.exp(tops - top)
    norm = tl.sum(mass, 1)[:, None]
    mass = mass / norm
    log_norm = tl.log(norm)
    if CCE:
        log_mass = (tops - top) + (tl.log(sums) - log_norm)
        log_mass = tl.where(sums > 0, log_mass, nothing)
    if LINE:
        here = tl.load(place + y)
        at_mode = tl.abs(tl.load(place + mode) - here)
        if POWER:
            at_mode = _raised(at_mode, power)
    if CRPS:
        s = zero + tl.load(share + r)
        wt = tl.load(width + tl.maximum(t, 0))
        at, left_end, right_end, score = _near_the_number(
            a / norm, b / norm, pt / norm, wt, s
        )

    # First all chunks for the loss and the sums of their steps, then for the gradient.
    value, rest, mean = zero, zero, zero
    right_steps, left_steps, local = none, none, none
    left_logs, right_logs = none + nothing, none + nothing
    sweeps = 2 if SLOPES else 1
    for turn in range(0, sweeps * chunks):
        c = turn % chunks
        first = turn + 0 * y < chunks
        k = c * WIDE + columns
        inside = k < n_classes
        follows = k < n_classes - 1
        # Neighbors of another chunk count with that chunk.
        cell = row + k.to(tl.int64) * x_class
        x = tl.load(cell, mask=inside, other=nothing).to(tl.float32)
        p = tl.where(inside, tl.exp(x - top), 0.0) / norm
        h = tl.zeros([1, WIDE], tl.float32)
        steps = tl.zeros([1, WIDE], tl.float32)
        push = tl.zeros([1, WIDE], tl.float32)
        found = zero
        if LINE:
            d = tl.load(gap + k, mask=inside, other=0.0)
            away = tl.abs(tl.load(place + k, mask=inside, other=0.0) - here)
        if EMD2 or CCE or CRPS:
            after = tl.load(cell + x_class, mask=follows, other=nothing).to(tl.float32)
            ends = columns == WIDE - 1
        if CE:
            rest += tl.where(first, tl.sum(tl.where(k == y, 0.0, p), 1)[:, None], 0.0)
            push += ce * tl.where(k == y, -rest, p)
        if W1:
            cost = away
            if POWER:
                cost = _raised(away, power)
            found += w1 * tl.sum(p * cost, 1)[:, None]
            h += w1 * (cost - at_mode)
        if EMD2 or CRPS:
            p_after = tl.where(follows, tl.exp(after - top), 0.0) / norm
            before_it = tl.sum(tl.where(chunk < c, mass, 0.0), 1)[:, None]
            after_it = tl.sum(tl.where(chunk > c, mass, 0.0), 1)[:, None]
            up_to = before_it + tl.cumsum(p, 1)
            within = tl.where(ends, 0.0, p_after)
            beyond = after_it + tl.cumsum(within, 1, reverse=True)
        if EMD2:
            f = tl.where(k < y, up_to, beyond)
            found += emd2 * tl.sum(d * f * f, 1)[:, None]
            steps += emd2 * 2.0 * (d * tl.where(k < y, -f, f))
        if CRPS:
            w = tl.load(width + k, mask=inside, other=0.0)
            w_after = tl.load(width + k + 1, mask=follows, other=0.0)
            squares = _crps_squares(p, up_to, beyond, w, k, t)
            found += crps * (tl.sum(squares, 1)[:, None] / 3.0)
            change = _crps_steps(
                p, p_after, up_to, beyond, w, w_after, k, t, at, left_end, right_end
            )
            steps += crps * tl.where(follows, change, 0.0)
        if CCE:
            behind = (k > 0) & inside
            before = tl.load(cell - x_class, mask=behind, other=nothing).to(tl.float32)
            d_before = tl.load(gap + k - 1, mask=behind, other=0.0)
            log_p = (x - top) - log_norm
            before = tl.where(columns > 0, (before - top) - log_norm, nothing)
            after = tl.where(ends, nothing, (after - top) - log_norm)
            lighter = _log_sum(tl.where(chunk < c, log_mass, nothing))
            heavier = _log_sum(tl.where(chunk > c, log_mass, nothing))
            from_left = _log_add(lighter, tl.associative_scan(before, 1, _log_add))
            to_right = tl.associative_scan(log_p, 1, _log_add, reverse=True)
            to_right = _log_add(heavier, to_right)
            left = tl.where(behind & (k <= y), from_left - to_right, nothing)
            from_left = _log_add(lighter, tl.associative_scan(log_p, 1, _log_add))
            to_right = tl.associative_scan(after, 1, _log_add, reverse=True)
            to_right = _log_add(heavier, to_right)
            right = tl.where(follows & (k >= y), to_right - from_left, nothing)
            every = d_before * _softplus(left) + d * _softplus(right)
            found += cce * tl.sum(every, 1)[:, None]
            left = tl.where(left < float("inf"), left + tl.log(d_before), nothing)
            right = tl.where(right < float("inf"), right + tl.log(d), nothing)
            so_far = tl.associative_scan(left, 1, _log_add)
            from_here = tl.associative_scan(right, 1, _log_add, reverse=True)
            whole = tl.max(so_far, 1)[:, None]
            left_logs = tl.where(first & (chunk == c), whole, left_logs)
            whole = tl.max(from_here, 1)[:, None]
            right_logs = tl.where(first & (chunk == c), whole, right_logs)
            so_far = _log_add(_log_sum(tl.where(chunk < c, left_logs, nothing)), so_far)
            later = _log_sum(tl.where(chunk > c, right_logs, nothing))
            from_here = _log_add(later, from_here)
            light = tl.where(
                k <= y,
                _log_add(so_far, _log_sum(right_logs)),
                _log_add(from_here, _log_sum(left_logs)),
            )
            push += cce * (p * away - tl.exp(log_p + light))
        value += tl.where(first, found, 0.0)
        if SLOPES:
            h += _outward(steps, k, mode)
            total = tl.sum(tl.where(k >= mode, steps, 0.0), 1)[:, None]
            right_steps = tl.where(first & (chunk == c), total, right_steps)
            total = tl.sum(tl.where(k < mode, steps, 0.0), 1)[:, None]
            left_steps = tl.where(first & (chunk == c), total, left_steps)
            total = tl.sum(p * h, 1)[:, None]
            local = tl.where(first & (chunk == c), total, local)
            # From the heaviest class to each chunk.
            way = tl.cumsum(right_steps, 1) - right_steps
            way -= tl.cumsum(left_steps, 1, reverse=True) - left_steps
            mean = tl.sum(local + mass * way, 1)[:, None]
            h += tl.sum(tl.where(chunk == c, way, 0.0), 1)[:, None]
            g = tl.where(known, push + p * (h - mean), 0.0)
            out = to + k.to(tl.int64) * g_class
            tl.store(
                out,
                g.to(gradient.dtype.element_ty),
                mask=inside & (turn + 0 * k >= chunks),
            )

    if CE:
        near = _log_of_one_and(rest * norm)
        far = log_norm + (top - xy)
        value += ce * tl.where(norm == norm, tl.where(xy == top, near, far), norm)
    if CRPS:
        value += crps * (score / 3.0 + tl.load(outside + r))
    value = tl.where(known, value, float("nan"))
    tl.store(loss + r + 0 * y, value)


@dataclass(frozen=True, eq=False)
class Task:
    """A sum of losses, to be computed for every row of some logits on the GPU.

    Fields as in `offby.kernels._library.Task`.
    """

    factors: tuple[float, ...]
    index: Tensor | None = None
    value: Tensor | None = None
    positions: Tensor | None = None
    edges: Tensor | None = None
    power: float = 1.0

    def loss(self, logits: Tensor) -> Tensor:
        """Loss of each row."""
        return self._launch(logits, None)

    def loss_and_gradient(self, logits: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Loss of each row, and its gradient; the scale must be 1."""
        assert scale == 1.0
        logits, layout = walkable(logits)
        gradient = empty_gradient(logits, layout)
        return self._launch(logits, gradient), gradient

    def gradient(
        self,
        logits: Tensor,
        upstream: Tensor,
        scaled: tuple[Tensor, float] | None = None,
    ) -> Tensor:
        """Gradient of each row times `upstream`, a number for each."""
        gradient = scaled[0] if scaled else self.loss_and_gradient(logits, 1.0)[1]
        return gradient.mul_(upstream[..., None])

    def guess(self, n_rows: int) -> float:
        """Scale of the gradient; comparing it later would wait for the GPU."""
        del n_rows
        return 1.0

    def is_scale(self, upstream: Tensor, scale: float) -> bool:
        """Not known without waiting."""
        del upstream, scale
        return False

    def _launch(self, logits: Tensor, gradient: Tensor | None) -> Tensor:
        logits, layout = walkable(logits)
        device, k = logits.device, logits.shape[-1]
        loss = torch.empty(logits.shape[:-1], dtype=torch.float32, device=device)
        n_rows = loss.numel()
        if n_rows == 0:
            return loss
        gap, place = _line(self.positions, k, device)
        width, bin_of, share, outside = self._numbers(k, loss, place)
        index = bin_of if self.index is None else self.index
        ce, w1, emd2, cce, crps, _ = self.factors
        out = logits if gradient is None else gradient
        # Sums of logarithms are long code: a wide chunk would compile for minutes.
        chunk = min(CHUNK, 1024) if cce else CHUNK
        chunks = triton.cdiv(k, chunk)
        numbers = (
            *(logits, index, share, outside, bin_of, gap, place, width, loss, out),
            *((n_rows,) if k <= LONGEST else ()),
            *(layout.inner, k, *layout.strides),
            *(k * layout.inner, 1, layout.inner),
            *((chunks,) if k > LONGEST else ()),
            *(ce, w1, emd2, cce, crps, self.power),
        )
        terms = {
            "CE": ce != 0,
            "W1": w1 != 0,
            "EMD2": emd2 != 0,
            "CCE": cce != 0,
            "CRPS": crps != 0,
            "LINE": any((w1, emd2, cce)),
            "POWER": self.power != 1,
            "SLOPES": gradient is not None,
        }
        if k > LONGEST:
            most = triton.next_power_of_2(chunks)
            _long_rows[(n_rows,)](*numbers, **terms, MOST=most, WIDE=chunk, num_warps=8)
            return loss
        wide = triton.next_power_of_2(max(k, 16))
        # Few warps to a row: a running sum crosses warps through shared memory.
        rows, warps = (4, 4) if wide <= 32 else (1, max(1, min(8, wide // 1024)))
        grid = (triton.cdiv(n_rows, rows),)
        _rows[grid](*numbers, **terms, ROWS=rows, WIDE=wide, num_warps=warps)
        return loss

    def _numbers(self, k: int, loss: Tensor, unused: Tensor):
        """Widths of the bins, and where each number cuts the grid."""
        if self.value is None or self.edges is None:
            return unused, unused, unused, unused
        edges, width = _grid(self.edges, loss.device)
        y = self.value
        bin_of = (torch.searchsorted(edges, y, right=True) - 1).clamp(0, k - 1)
        share = ((y - edges[bin_of]) / edges.diff()[bin_of]).clamp(0, 1).float()
        outside = (edges[0] - y).clamp(min=0) + (y - edges[-1]).clamp(min=0)
        # NaN is no number, and so has no bin.
        bin_of = bin_of.masked_fill(y.isnan(), -1)
        return width, bin_of, share, outside.float()


def _line(positions: Tensor | None, k: int, device: torch.device) -> tuple[Tensor, ...]:
    """Gap behind each class, and its place from the first."""
    if positions is None:
        return _regular(k, device)

    def made() -> tuple[Tensor, ...]:
        here = positions.to(device)
        gap = torch.cat([here.diff(), here.new_zeros(1)])
        return gap.float(), (here - here[0]).float()

    return _kept(positions, device, made)


@cache
def _regular(k: int, device: torch.device) -> tuple[Tensor, ...]:
    gap = torch.ones(k, device=device)
    gap[-1:].zero_()
    return gap, torch.arange(k, dtype=torch.float32, device=device)


def _grid(edges: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    """Edges, and widths of the bins between them."""

    def made() -> tuple[Tensor, ...]:
        here = edges.to(device)
        return here, here.diff().float()

    return _kept(edges, device, made)


_made: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def _kept(
    numbers: Tensor, device: torch.device, made: Callable[[], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    """What was made of a ground's numbers, once for each device.

    A copy to the device at every call would take longer than the loss, and could not be
    recorded in a CUDA graph. Numbers written over are copied anew.
    """
    if numbers not in _made:
        _made[numbers] = {}
    held = _made[numbers]
    version, found = held.get(device, (None, ()))
    if version != numbers._version:
        found = made()
        held[device] = numbers._version, found
    return found
