"""Rows that fit into registers: one read of the logits, one write of the gradient."""

# Triton's stubs do not type what its compiler accepts.
# pyright: reportArgumentType=false, reportCallIssue=false
# pyright: reportPossiblyUnboundVariable=false

import triton
import triton.language as tl

from offby.kernels.triton._math import (
    cross_entropy,
    crps_squares,
    crps_steps,
    cut,
    log_add,
    log_odds,
    near_the_number,
    outward,
    raised,
    softplus,
    weighed,
)


# What a backward pass changes is not specialized on: it runs the very same code.
@triton.jit(do_not_specialize=["loss", "upstream", "step", "n_made"])
def rows_in_registers(
    logits,
    gradient,
    loss,
    upstream,
    index,
    value,
    bin_of,
    edges,
    width,
    gap,
    place,
    n_rows,
    inner,
    n_classes,
    x_outer,
    x_inner,
    x_class,
    g_outer,
    g_inner,
    g_class,
    step,
    n_made,
    scale,
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
    POWER: tl.constexpr,
    SLOPES: tl.constexpr,
    BY: tl.constexpr,
    ROWS: tl.constexpr,
    WIDE: tl.constexpr,
):
    """Loss and `scale` times the gradient of each row.

    Of the first `n_made` rows, all or none, the gradient is there; it is made again for
    their upstream numbers, unless the number is the scale.
    """
    # What the compiler sees to be a multiple it reads and writes several at a time.
    n_classes, x_outer, g_outer = n_classes * BY, x_outer * BY, g_outer * BY
    r = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    real = r < n_rows
    times = tl.load(upstream + r * step, mask=r < n_made, other=scale)
    real = real & ((r >= n_made) | (times != scale))
    if tl.max(real.to(tl.int32), 0) == 0:
        return

    columns = tl.arange(0, WIDE)
    k = columns[None, :]
    inside = k < n_classes
    here = real[:, None] & inside
    row = logits + ((r // inner) * x_outer + (r % inner) * x_inner)[:, None]
    cell = row + k.to(tl.int64) * x_class
    nothing = -float("inf")
    x = tl.load(cell, mask=here, other=nothing).to(tl.float32)
    known = real
    if CRPS:
        number = tl.load(value + r, mask=real, other=0.0)
        t = tl.load(bin_of + r, mask=real, other=0)
        t, s, outside = cut(edges, n_classes, t, number)
        t, s, outside = t[:, None], s[:, None], outside[:, None]
        known = known & (number == number)
    if index is None:
        y = t
    else:
        y = tl.load(index + r, mask=real, other=0)
        known = known & (y >= 0) & (y < n_classes)
        y = tl.where(known, y, 0).to(tl.int32)[:, None]
    known = known[:, None]
    below, true = k < y, k == y

    top = tl.where(real, tl.max(x, 1), 0.0)[:, None]
    e = tl.where(here, tl.exp(x - top), 0.0)
    rest = tl.sum(tl.where(true, 0.0, e), 1)[:, None]
    norm = rest + tl.sum(tl.where(true, e, 0.0), 1)[:, None]
    norm = tl.where(real[:, None], norm, 1.0)
    p = e / norm
    mode = tl.argmax(x, 1)[:, None]
    total = tl.zeros([ROWS, 1], tl.float32)
    h = tl.zeros([ROWS, WIDE], tl.float32)
    push = tl.zeros([ROWS, WIDE], tl.float32)
    if W1 or EMD2 or CCE:
        d = tl.load(gap + columns, mask=columns < n_classes, other=0.0)[None, :]
        away = tl.load(place + columns, mask=columns < n_classes, other=0.0)[None, :]
        away = tl.abs(away - tl.load(place + y))
    if EMD2 or CCE or CRPS:
        # A suffix sum less its own term would cancel: the next class is read again.
        follows = real[:, None] & (k < n_classes - 1)
        after = tl.load(cell + x_class, mask=follows, other=nothing).to(tl.float32)
    if CE:
        xy = tl.sum(tl.where(true, x, 0.0), 1)[:, None]
        total += ce * cross_entropy(xy, top, rest, norm)
        push += ce * tl.where(true, -rest / norm, p)
    if W1:
        cost = away
        if POWER:
            cost = raised(away, power)
        total += w1 * tl.sum(p * cost, 1)[:, None]
        h += w1 * (cost - tl.sum(tl.where(k == mode, cost, 0.0), 1)[:, None])
    if EMD2 or CRPS:
        p_after = tl.where(follows, tl.exp(after - top), 0.0) / norm
        up_to, beyond = tl.cumsum(p, 1), tl.cumsum(p_after, 1, reverse=True)
    if EMD2:
        f = tl.where(below, up_to, beyond)
        total += emd2 * tl.sum(d * f * f, 1)[:, None]
        h += emd2 * 2.0 * outward(d * tl.where(below, -f, f), k, mode)
    if CCE:
        behind = real[:, None] & (k > 0) & inside
        before = tl.load(cell - x_class, mask=behind, other=nothing).to(tl.float32)
        has_left = (columns > 0) & (columns < n_classes)
        d_before = tl.load(gap + columns - 1, mask=has_left, other=0.0)[None, :]
        # One after the other: a sum of the two would drop the digits of the smaller.
        log_p = (x - top) - tl.log(norm)
        before = (before - top) - tl.log(norm)
        after = (after - top) - tl.log(norm)
        left, right = log_odds(
            log_p, before, after, None, None, behind & (k <= y), follows & (k >= y)
        )
        every = d_before * softplus(left) + d * softplus(right)
        total += cce * tl.sum(every, 1)[:, None]
        so_far = tl.associative_scan(weighed(left, d_before), 1, log_add)
        from_here = tl.associative_scan(weighed(right, d), 1, log_add, reverse=True)
        whole_left = tl.max(so_far, 1)[:, None]
        whole_right = tl.max(from_here, 1)[:, None]
        light = tl.where(
            k <= y, log_add(so_far, whole_right), log_add(from_here, whole_left)
        )
        push += cce * (p * away - tl.exp(log_p + light))
    if CRPS:
        w = tl.load(width + columns, mask=columns < n_classes, other=0.0)[None, :]
        next_in = columns < n_classes - 1
        w_after = tl.load(width + columns + 1, mask=next_in, other=0.0)[None, :]
        a = tl.sum(tl.where(k < t, p, 0.0), 1)[:, None]
        b = tl.sum(tl.where(k > t, p, 0.0), 1)[:, None]
        pt = tl.sum(tl.where(k == t, p, 0.0), 1)[:, None]
        at, left, right, score = near_the_number(a, b, pt, tl.load(width + t), s)
        squares = tl.sum(crps_squares(p, up_to, beyond, w, k, t), 1)[:, None]
        total += crps * ((squares + score) / 3.0 + outside)
        steps = crps_steps(p, p_after, up_to, beyond, w, w_after, k, t, at, left, right)
        h += crps * outward(tl.where(follows, steps, 0.0), k, mode)

    total = tl.where(known, total, float("nan"))
    tl.store(loss + r[:, None], total, mask=(real & (r >= n_made))[:, None])
    if SLOPES:
        g = push + p * (h - tl.sum(p * h, 1)[:, None])
        # Last of all: so the bits are the same for a scale that was guessed.
        g = tl.where(known, g * times[:, None], 0.0)
        row = gradient + ((r // inner) * g_outer + (r % inner) * g_inner)[:, None]
        to = row + k.to(tl.int64) * g_class
        tl.store(to, g.to(gradient.dtype.element_ty), mask=here)
