// The cumulative cross-entropy of one row: in float32, and in logarithms.
#pragma once
#include "row_terms.hpp"

namespace OFFBY_LEVEL {

// Cross-entropy of every cut. r = mass on the wrong side / mass on the right side; the
// slopes  |x_j - x_y| - sum of gap r over the cuts that j lies right of  need no mean taken
// off. False if a right side is too light for float32.
template <class T, class C, unsigned Terms> bool Row<T, C, Terms>::cumulative(C factor) {
  const C* gap = ground.gap;
  settle();
  e[y] = ey;
  Carry<C> F;
  int64_t k;
  for (k = 0; k < K; k += n) {
    V s = summed(load(e + k));
    store(a + k, s + F.value());
    F.add(last_of(s), k);
  }
  F = {};
  for (k = (K - 1) / n * n; k >= 0; k -= n) {
    V s = summed_back(load(e + k));
    store(b + k, s + F.value());
    F.add(first_of(s), k);
  }
  e[y] = 0;
  store(b + (K + n - 1) / n * n, V{});

  V total{}, lightest = all(std::numeric_limits<C>::max());
  Carry<C> left, right;
  Logs logs;
  auto cuts = [&](int64_t k, V wrong, V other, mask<C> here) {
    V w = select(here, load(gap + k), V{});
    V ratio = quotient(wrong, other);
    lightest = select(here, lesser(other, lightest), lightest);
    ratio = select(w > V{}, ratio, V{});
    if (ground.step != 0) logs.add(ratio);
    else total += w * log_of_one_and(ratio);
    return w * ratio;
  };
  mask<C> every = below<C>(n);
  int64_t boundary = y / n * n;
  mask<C> lower = below<C>(y - boundary);
  auto forward = [&](int64_t k, mask<C> here) {
    V v = cuts(k, load(a + k), load(b + k + 1), here);
    V i = summed(v);
    V before = moved_up(i) + left.value();  // not i - v: v may be nearly all of it
    left.add(last_of(i), k);
    return before;
  };
  for (k = 0; k < boundary; k += n) store(a + k, forward(k, every));
  V kept = forward(boundary, lower);
  auto backward = [&](int64_t k, mask<C> here) {
    V v = cuts(k, load(b + k + 1), load(a + k), here);
    V i = summed_back(v);
    store(a + k, i + right.value());
    right.add(first_of(i), k);
  };
  for (k = (K - 1) / n * n; k > boundary; k -= n) backward(k, every);
  backward(boundary, ~lower);
  logs.move();
  const C value = ground.step * sum(logs.total) + sum(total);
  if (!(least(lightest) > C(1e-25) * Z && value == value) && Z == Z) return false;

  // The slopes are the distance, less what a holds and all of the other side.
  store(a + boundary, select(lower, kept, load(a + boundary)));
  const V on_left = all(C(right.sum())), on_right = all(C(left.sum()));
  const V on_both = select(lower, on_left, on_right);
  if (fresh && far == 0 && job.power == 1) {
    std::swap(h, a);
    times = -factor;
    far = factor;
    offset[0] = on_left, offset[1] = on_both, offset[2] = on_right;
    settled = false;
  } else {
    for (k = 0; k < K; k += n) {
      V other = k < boundary ? on_left : k == boundary ? on_both : on_right;
      store(h + k, slopes(k) + factor * (distance(k) - (load(a + k) + other)));
    }
  }
  fresh = false;
  h[y] = 0;
  hy -= factor * C(left.sum() + right.sum());
  loss += factor * value;
  return true;
}

OFFBY_INLINE double log_of_sum(double a, double b) {
  double m = a > b ? a : b;
  return m == -INFINITY ? m : m + std::log1p(std::exp(-std::fabs(a - b)));
}

// The same in logarithms: any logits, no hurry. The gradient, without the factor, is left in b.
template <class T, class C, unsigned Terms>
void Row<T, C, Terms>::cumulative_in_logs(C factor, const T* x, C largest) {
  const C* gap = ground.gap;
  const double top = double(largest), norm = std::log(double(Z));
  auto log_p = [&](int64_t k) { return double(number(x[k * job.logits_class])) - top - norm; };
  double run = -INFINITY;
  for (int64_t k = 0; k < K; k++) a[k] = C(run = log_of_sum(run, log_p(k)));
  run = -INFINITY;
  for (int64_t k = K - 1; k >= 0; k--) b[k] = C(run = log_of_sum(run, log_p(k)));
  // a becomes the log odds against the truth at each cut; b the log of gap times odds.
  double value = 0, left = -INFINITY, right = -INFINITY;
  for (int64_t k = 0; k + 1 < K; k++) {
    double odds = k < y ? double(a[k]) - double(b[k + 1]) : double(b[k + 1]) - double(a[k]);
    value += gap[k] * (odds > 0 ? odds + std::log1p(std::exp(-odds)) : std::log1p(std::exp(odds)));
    // Where only impossible classes lie on the right side, no logit of theirs can help.
    a[k] = odds == INFINITY ? C(-INFINITY) : C(odds + std::log(double(gap[k])));
    (k < y ? left : right) = log_of_sum(k < y ? left : right, a[k]);
  }
  auto slope = [&](int64_t j, double odds) {
    double away = std::fabs(double(ground.place[j]) - ground.place[y]);
    b[j] = C(std::exp(log_p(j)) * away - std::exp(log_p(j) + odds));
  };
  run = -INFINITY;
  for (int64_t j = 0; j <= y; j++) {
    slope(j, log_of_sum(right, run));
    if (j < y) run = log_of_sum(run, a[j]);
  }
  run = -INFINITY;
  for (int64_t j = K - 1; j > y; j--) {
    if (j + 1 < K) run = log_of_sum(run, a[j]);
    slope(j, log_of_sum(left, run));
  }
  loss += factor * C(value);
}

}  // namespace OFFBY_LEVEL
