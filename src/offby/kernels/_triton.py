"""The Triton twins: a whole row in registers, one read and one write of the logits.

Formulas as in native/row.hpp, with the slopes summed outward from the heaviest class of
each row, so that nothing cancels whichever class that is. Rows too long for registers are
read three times, a chunk at a time: for the mass of each chunk, for the steps of its
slopes, and for the gradient.
"""

# Triton's stubs do not type what its compiler accepts.
# pyright: reportArgumentType=false, reportCallIssue=false
# pyright: reportPossiblyUnboundVariable=false

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from offby.kernels._library import empty_gradient, walkable


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
def _near_the_number(a, b, pt, wt, s):
    """Of the bin the number lies in: slope at its class, on its sides, and the score."""
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
            some = tl.where(away > 0, away, 1.0)
            cost = tl.where(away > 0, tl.exp(power * tl.log(some)), 0.0)
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
        position, width, bin_of, share, outside = self._numbers(k, device, loss)
        gap = torch.cat([position.diff(), position.new_zeros(1)]).float()
        index = bin_of if self.index is None else self.index
        wide = triton.next_power_of_2(max(k, 16))
        # Few warps to a row: a running sum crosses warps through shared memory.
        rows, warps = (4, 4) if wide <= 32 else (1, max(1, min(8, wide // 1024)))
        ce, w1, emd2, cce, crps, _ = self.factors
        out = logits if gradient is None else gradient
        _rows[(triton.cdiv(n_rows, rows),)](
            logits,
            index,
            share,
            outside,
            bin_of,
            gap,
            (position - position[0]).float(),
            width,
            loss,
            out,
            n_rows,
            layout.inner,
            k,
            *layout.strides,
            k * layout.inner,
            1,
            layout.inner,
            ce,
            w1,
            emd2,
            cce,
            crps,
            self.power,
            CE=ce != 0,
            W1=w1 != 0,
            EMD2=emd2 != 0,
            CCE=cce != 0,
            CRPS=crps != 0,
            LINE=any((w1, emd2, cce)),
            POWER=self.power != 1,
            SLOPES=gradient is not None,
            ROWS=rows,
            WIDE=wide,
            num_warps=warps,
        )
        return loss

    def _numbers(self, k: int, device: torch.device, loss: Tensor):
        """Positions, widths, and where each number cuts the grid."""
        position = torch.arange(k, dtype=torch.float64, device=device)
        if self.positions is not None:
            position = self.positions.to(device)
        if self.value is None or self.edges is None:
            none = torch.zeros_like(loss)
            return position, position.float(), none.long(), none, none
        edges, y = self.edges.to(device), self.value
        bin_of = (torch.searchsorted(edges, y, right=True) - 1).clamp(0, k - 1)
        width = edges.diff()
        share = ((y - edges[bin_of]) / width[bin_of]).clamp(0, 1).float()
        outside = (edges[0] - y).clamp(min=0) + (y - edges[-1]).clamp(min=0)
        # NaN is no number, and so has no bin.
        bin_of = bin_of.masked_fill(y.isnan(), -1)
        return position, width.float(), bin_of, share, outside.float()
