"""Rows too long for registers, a chunk at a time.

They are read three times: for the mass of each chunk, for the steps of its slopes, and
for the gradient.
"""

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
    log_sum,
    near_the_number,
    outward,
    raised,
    softplus,
    weighed,
)


@triton.jit(do_not_specialize=["loss", "upstream", "step", "n_made"])
def rows_in_chunks(
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
    chunks,
    CE: tl.constexpr,
    W1: tl.constexpr,
    EMD2: tl.constexpr,
    CCE: tl.constexpr,
    CRPS: tl.constexpr,
    POWER: tl.constexpr,
    SLOPES: tl.constexpr,
    BY: tl.constexpr,
    MOST: tl.constexpr,
    WIDE: tl.constexpr,
):
    """One row, a chunk of WIDE classes at a time; else as `rows_in_registers`.

    Vectors of MOST hold what each chunk adds up to: what lies before a chunk, and what
    after it, is then a sum of a few numbers, with nothing subtracted.
    """
    n_classes, x_outer, g_outer = n_classes * BY, x_outer * BY, g_outer * BY
    r = tl.program_id(0).to(tl.int64)
    times = tl.load(upstream + r * step, mask=r < n_made, other=scale)
    if (r < n_made) & (times == scale):
        return

    r += tl.arange(0, 1)[:, None]
    row = logits + (r // inner) * x_outer + (r % inner) * x_inner
    to = gradient + (r // inner) * g_outer + (r % inner) * g_inner
    columns = tl.arange(0, WIDE)[None, :]
    chunk = tl.arange(0, MOST)[None, :]
    nothing = -float("inf")
    none = tl.zeros([1, MOST], tl.float32)
    zero = tl.zeros([1, 1], tl.float32)

    known = r >= 0
    if CRPS:
        number = tl.load(value + r)
        t, s, outside = cut(edges, n_classes, tl.load(bin_of + r), number)
        known = number == number
    if index is None:
        y = t
    else:
        y = tl.load(index + r)
        known = known & (y >= 0) & (y < n_classes)
        y = tl.where(known, y, 0).to(tl.int32)
    xy = tl.load(row + y.to(tl.int64) * x_class).to(tl.float32)

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
    if W1 or EMD2 or CCE:
        here = tl.load(place + y)
        # Beside a NaN the heaviest class may be found behind the last.
        at_mode = tl.load(place + mode, mask=mode < n_classes, other=0.0)
        at_mode = tl.abs(at_mode - here)
        if POWER:
            at_mode = raised(at_mode, power)
    if CRPS:
        at, left_end, right_end, score = near_the_number(
            a / norm, b / norm, pt / norm, tl.load(width + t), s
        )

    # First all chunks for the loss and the sums of their steps, then for the gradient.
    total, rest, mean = zero, zero, zero
    right_steps, left_steps, local = none, none, none
    left_logs, right_logs = none + nothing, none + nothing
    sweeps = 2 if SLOPES else 1
    for turn in range(0, sweeps * chunks):
        c = turn % chunks
        first = turn + 0 * y < chunks
        noted = first & (chunk == c)
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
        if W1 or EMD2 or CCE:
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
                cost = raised(away, power)
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
            squares = crps_squares(p, up_to, beyond, w, k, t)
            found += crps * (tl.sum(squares, 1)[:, None] / 3.0)
            change = crps_steps(
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
            lighter = log_sum(tl.where(chunk < c, log_mass, nothing))
            heavier = log_sum(tl.where(chunk > c, log_mass, nothing))
            on_left, on_right = behind & (k <= y), follows & (k >= y)
            left, right = log_odds(
                log_p, before, after, lighter, heavier, on_left, on_right
            )
            every = d_before * softplus(left) + d * softplus(right)
            found += cce * tl.sum(every, 1)[:, None]
            so_far = tl.associative_scan(weighed(left, d_before), 1, log_add)
            from_here = tl.associative_scan(weighed(right, d), 1, log_add, reverse=True)
            whole = tl.max(so_far, 1)[:, None]
            left_logs = tl.where(noted, whole, left_logs)
            whole = tl.max(from_here, 1)[:, None]
            right_logs = tl.where(noted, whole, right_logs)
            so_far = log_add(log_sum(tl.where(chunk < c, left_logs, nothing)), so_far)
            later = log_sum(tl.where(chunk > c, right_logs, nothing))
            from_here = log_add(later, from_here)
            light = tl.where(
                k <= y,
                log_add(so_far, log_sum(right_logs)),
                log_add(from_here, log_sum(left_logs)),
            )
            push += cce * (p * away - tl.exp(log_p + light))
        total += tl.where(first, found, 0.0)
        if SLOPES:
            h += outward(steps, k, mode)
            whole = tl.sum(tl.where(k >= mode, steps, 0.0), 1)[:, None]
            right_steps = tl.where(noted, whole, right_steps)
            whole = tl.sum(tl.where(k < mode, steps, 0.0), 1)[:, None]
            left_steps = tl.where(noted, whole, left_steps)
            local = tl.where(noted, tl.sum(p * h, 1)[:, None], local)
            # From the heaviest class to each chunk.
            way = tl.cumsum(right_steps, 1) - right_steps
            way -= tl.cumsum(left_steps, 1, reverse=True) - left_steps
            mean = tl.sum(local + mass * way, 1)[:, None]
            h += tl.sum(tl.where(chunk == c, way, 0.0), 1)[:, None]
            g = tl.where(known, (push + p * (h - mean)) * times, 0.0)
            out = to + k.to(tl.int64) * g_class
            last = inside & (turn + 0 * k >= chunks)
            tl.store(out, g.to(gradient.dtype.element_ty), mask=last)

    if CE:
        total += ce * cross_entropy(xy, top, rest * norm, norm)
    if CRPS:
        total += crps * (score / 3.0 + outside)
    tl.store(loss + r, tl.where(known, total, float("nan")), mask=r >= n_made)
