// The terms of the loss for one row, lanes along its classes.
//
// Masses are left unnormalized, e_j = exp(x_j - max), Z = sum e. Each term of the loss has
// slopes h_j in the masses, up to a constant; the gradient is  p_j (h_j - sum_i p_i h_i).
// The constant is chosen so that h is 0 on the true class: where that class holds most of
// the mass nothing cancels. Where another class does, h - sum p h would cancel on it: there
// the constant is chosen so that h is 0 on that class, the mode.
#pragma once
#include "job.hpp"
#include "vectors.hpp"

namespace OFFBY_LEVEL {

template <class T> OFFBY_INLINE const T* logits_of(const Job& job, int64_t r) {
  // A division costs as much as the exponentials of a vector.
  if (job.inner == 1) return (const T*)job.logits + r * job.logits_outer;
  return (const T*)job.logits + r / job.inner * job.logits_outer + r % job.inner * job.logits_inner;
}
template <class T> OFFBY_INLINE T* gradient_of(const Job& job, int64_t r) {
  if (job.inner == 1) return (T*)job.gradient + r * job.gradient_outer;
  return (T*)job.gradient + r / job.inner * job.gradient_outer +
         r % job.inner * job.gradient_inner;
}
template <class C> OFFBY_INLINE const Ground<C>& ground_of(const Task& task) {
  if constexpr (sizeof(C) == sizeof(float)) return task.single;
  else return task.twice;
}

// Where a number cuts the grid.
struct Cut {
  int64_t bin;
  double share;    // of the bin, below the number
  double outside;  // distance to the nearest edge of the grid
};
OFFBY_INLINE Cut cut_at(const Task& task, double y) {
  const double* edges = task.job->edges;
  const int64_t K = task.job->classes;
  int64_t low = 0;  // the last edge that is not above y
  if (task.rate != 0) {
    double guess = (y - edges[0]) * task.rate;
    low = guess < 0 ? 0 : guess < double(K) ? int64_t(guess) : K - 1;
    while (low > 0 && edges[low] > y) low--;
    while (low < K - 1 && edges[low + 1] <= y) low++;
  } else {
    for (int64_t left = K; left > 1;) {
      const int64_t half = left / 2;
      low += edges[low + half] <= y ? half : 0;  // no jump that could be foreseen wrongly
      left -= half;
    }
  }
  double share = (y - edges[low]) / (edges[low + 1] - edges[low]);
  share = share < 0 ? 0 : share > 1 ? 1 : share;
  double outside = y < edges[0] ? edges[0] - y : y > edges[K] ? y - edges[K] : 0;
  return {low, share, outside};
}

// What the terms of one row have in common. Arrays hold K numbers and are padded: 64 zeros
// in front of e, and 64 behind all.
template <class T, class C, unsigned Terms> struct Row {
  using V = vec<C>;
  static constexpr int n = lanes<C>;
  const Job& job;
  const Ground<C>& ground;
  const Forest& forest;
  int64_t K, y;
  C *e, *h, *a, *b;
  C ey, Z, iZ;
  int64_t mode = -1;       // a wrong class that holds most of the mass; -1: none does
  C hy = 0;                // slope on the true class
  C mu = 0;                // sum of p h
  C loss = 0;
  bool fresh = true;       // nothing is in h yet
  // What is in h is to be added to one of three vectors (that of the classes below the
  // vector with the true class, of that vector, of those above) and multiplied by `times`.
  C times = 1;
  V offset[3] = {};
  bool settled = true;
  // To it comes `far` times the distance to the power of the job.
  C far = 0;

  V slopes(int64_t k) const {
    int64_t boundary = y / n * n;
    V v{};
    if (!fresh) v = times * (offset[k < boundary ? 0 : k == boundary ? 1 : 2] + load(h + k));
    const bool feels = asks<Terms>(job, WASSERSTEIN) || asks<Terms>(job, CUMULATIVE);
    if (feels && far != 0) v += far * power_of(distance(k));
    return v;
  }
  void settle() {
    if (settled) return;
    for (int64_t k = 0; k < K; k += n) store(h + k, slopes(k));
    h[y] = 0;
    fresh = false;
    far = 0;
    times = 1;
    offset[0] = offset[1] = offset[2] = V{};
    settled = true;
  }

  void squared_emd(C factor);
  void tree(C factor);
  void wasserstein(C factor);
  void crps(C factor, const Cut& cut);
  bool cumulative(C factor);
  void cumulative_in_logs(C factor, const T* x, C largest);
  V apart(int64_t k, int64_t from) const {
    V place = load(ground.place + k) - all(ground.place[from]);
    if (ground.whole) return place;
    return place + (load(ground.crumb + k) - all(ground.crumb[from]));
  }
  V distance(int64_t k) const { return magnitude(apart(k, y)); }
  C mass(int64_t from, int64_t to) const {
    C some = 0;
    V sums{};
    for (; from < to && from % n; from++) some += e[from];
    for (; from + n <= to; from += n) sums += load(e + from);
    for (; from < to; from++) some += e[from];
    return some + sum(sums);
  }
  V power_of(V c) const { return job.power == 1 ? c : c * c; }
};

// A running sum over thousands of vectors, which in float32 alone would cost three digits:
// every so often what has come together is moved to a float64.
template <class C> struct Carry {
  double total = 0;
  vec<C> moved{}, recent{};
  vec<C> value() const { return moved + recent; }
  void add(vec<C> sum, int64_t k) {  // of vector k, in all lanes
    recent += sum;
    if ((k / lanes<C>) % 16 == 15) {
      total += double(recent[0]);
      moved = all(C(total));
      recent = vec<C>{};
    }
  }
  double sum() const { return total + double(recent[0]); }
};

template <class C> struct Total : Running<vec<C>> {
  int held = 0;
  void operator+=(vec<C> v) {
    this->recent += v;
    if (++held < 16) return;
    this->move();
    held = 0;
  }
};
template <class C> OFFBY_INLINE C sum(const Total<C>& of) { return sum(of.value()); }

template <class T, class C, unsigned Terms> void Row<T, C, Terms>::squared_emd(C factor) {
  // From the left: F_k = mass up to k, f = gap F, h_j = sum of f over j <= k < y. Held as
  // the sum before j, to be taken from the whole. From the right the same, mirrored.
  const C* gap = ground.gap;
  Total<C> squares;
  Carry<C> F, left, right;
  auto forward = [&](int64_t k, V w) {
    V s = summed(load(e + k));
    V mass = s + F.value();
    F.add(last_of(s), k);
    V f = w * mass;
    squares += f * mass;
    V i = summed(f);
    store(h + k, (i - f) + left.value());
    left.add(last_of(i), k);
  };
  int64_t k = 0, boundary = y / n * n;
  for (; k < boundary; k += n) forward(k, load(gap + k));
  mask<C> lower = below<C>(y - boundary);
  forward(k, select(lower, load(gap + k), V{}));
  V kept = load(h + boundary);

  F = {};
  auto backward = [&](int64_t k, V w) {
    V s = summed_back(load(e + k));
    V mass = s + F.value();
    F.add(first_of(s), k);
    V f = w * mass;
    squares += f * mass;
    V i = summed_back(f);
    store(h + k, (i - f) + right.value());
    right.add(first_of(i), k);
  };
  for (k = (K - 1) / n * n; k > boundary; k -= n) backward(k, load(gap + k - 1));
  mask<C> not_higher = below<C>(y - boundary + 1);
  backward(boundary, select(not_higher, V{}, load(gap + boundary - 1)));

  store(h + boundary, select(lower, kept, load(h + boundary)));
  C value = sum(squares) * iZ * iZ, mean = 2 * factor * value;
  C from_left = -C(left.sum()), from_right = -C(right.sum()), at_truth = 0;
  loss += factor * value;
  if (mode >= 0) {
    // The sums on either side start at the far end, so they are exact beside a mode there. Not
    // on it: there one was taken off that holds the mode.
    if (mode < y) h[mode] = mode == 0 ? C(0) : h[mode - 1] + gap[mode - 1] * mass(0, mode);
    else h[mode] = mode == K - 1 ? C(0) : h[mode + 1] + gap[mode] * mass(mode + 1, K);
    const C beyond = -h[mode];
    at_truth = beyond - (mode < y ? from_left : from_right);
    from_left = mode < y ? beyond : from_left + at_truth;
    from_right = mode < y ? from_right + at_truth : beyond;
  }
  offset[0] = all(from_left);
  offset[1] = select(lower, all(from_left), all(from_right));
  offset[2] = all(from_right);
  times = -2 * factor * iZ;
  fresh = settled = false;
  if (mode >= 0) {
    const C slope = times * at_truth;
    Total<C> sums;
    for (k = 0; k < K; k += n) sums += load(e + k) * slopes(k);
    mean = (sum(sums) + ey * slope) * iZ;
    hy += slope;
  }
  mu += mean;  // without a mode the slopes are those of a quadratic form of p
}

// Mass on the far side of every cut: the sum below it, or, if it holds the truth (it lies on
// the way), what lies outside. Nothing is subtracted: of a node on the way `far` is at first
// the mass below it apart from the way. The slopes are 0 at the root, as most classes are
// near to one another compared with the way to the truth; or at the class that holds most of
// the mass.
template <class T, class C, unsigned Terms> void Row<T, C, Terms>::tree(C factor) {
  const Forest& in = forest;
  const int64_t nodes = in.nodes, there = in.rank[y];
  thread_local Memory memory;
  C* far = (C*)memory.of(3 * nodes * sizeof(C));
  C *mass = far + nodes, *slope = mass + nodes;
  auto on_way = [&](int64_t i) { return in.start[i] <= there && there < in.end[i]; };
  settle();
  for (int64_t i = 0; i < nodes; i++) far[i] = 0;
  for (int64_t k = 0; k < K; k++) far[in.leaf[k]] += e[k];
  for (int64_t i = nodes - 1; i > 0; i--)
    if (!on_way(i)) far[in.parent[i]] += far[i];
  C squares = mass[0] = slope[0] = 0;
  for (int64_t i = 1; i < nodes; i++) {
    const int64_t up = in.parent[i];
    const bool way = on_way(i);
    mass[i] = way ? mass[up] + far[up] : far[i];
    C f = C(in.weight[i]) * mass[i];
    squares += f * mass[i];
    slope[i] = way ? slope[up] - f : slope[up] + f;
  }
  const C at_truth = slope[in.leaf[y]], c = 2 * factor * iZ;
  const C origin = mode >= 0 ? slope[in.leaf[mode]] : 2 * ey > Z ? at_truth : C(0);
  C mean = ey * (at_truth - origin);
  for (int64_t k = 0; k < K; k++) {
    C v = slope[in.leaf[k]] - origin;
    mean += e[k] * v;
    h[k] = (fresh ? C(0) : h[k]) + c * v;
  }
  for (int64_t k = K; fresh && k < (K + n - 1) / n * n; k++) h[k] = 0;
  h[y] = 0;
  hy += c * (at_truth - origin);
  fresh = false;
  loss += factor * squares * iZ * iZ;
  mu += c * mean * iZ;
}

template <class T, class C, unsigned Terms> void Row<T, C, Terms>::wasserstein(C factor) {
  const bool plain = job.power == 1 || job.power == 2;
  Total<C> total, means;
  if (plain && mode < 0) {
    for (int64_t k = 0; k < K; k += n) total += load(e + k) * power_of(distance(k));
    far = factor;
    settled = false;
    C value = factor * sum(total) * iZ;
    loss += value;
    mu += value;
    return;
  }
  settle();
  const int64_t o = mode < 0 ? y : mode;
  const C away = apart(y, o)[0];
  C at_mode = raised(all(std::abs(away)), job.power)[0];
  // Distance to the truth less that of the mode: on the side of the mode what lies between
  // the two, for there the distances may be large and nearly the same.
  auto nearer = [&](V s, V beside) {
    V c = select(s * -away < V{}, magnitude(s) - std::abs(away), away > 0 ? -beside : beside);
    return job.power == 1 ? c : c * (magnitude(s) + std::abs(away));
  };
  for (int64_t k = 0; k < K; k += n) {
    V p = load(e + k), c = raised(distance(k), job.power), v = c - at_mode;
    if (plain) v = nearer(apart(k, y), apart(k, o));
    total += p * c;
    means += p * v;
    store(h + k, slopes(k) + factor * v);
  }
  fresh = false;
  h[y] = 0;
  hy -= factor * at_mode;
  loss += factor * sum(total) * iZ;
  mu += factor * (sum(means) - ey * at_mode) * iZ;
}

template <class T, class C, unsigned Terms> void Row<T, C, Terms>::crps(C factor, const Cut& cut) {
  const C* width = ground.width;
  const int64_t t = cut.bin;
  settle();
  e[y] = ey;
  Total<C> squares;
  Carry<C> F, left, right;
  V inner, outer;  // of the last vector: mass up to and before each bin
  auto forward = [&](int64_t k, V w) {
    V mass = load(e + k), s = summed(mass);
    inner = s + F.value();
    outer = inner - mass;
    F.add(last_of(s), k);
    squares += w * (outer * outer + outer * inner + inner * inner);
    V i = summed(w * (outer + inner));
    store(a + k, w * (outer + 2 * inner) * C(1. / 3) - (i + left.value()));
    left.add(last_of(i), k);
  };
  int64_t k = 0, boundary = t / n * n;
  for (; k < boundary; k += n) forward(k, load(width + k));
  mask<C> lower = below<C>(t - boundary);
  forward(k, select(lower, load(width + k), V{}));
  V kept = load(a + boundary);
  C mass_below = outer[t - boundary];

  F = {};
  auto backward = [&](int64_t k, V w) {
    V mass = load(e + k), s = summed_back(mass);
    inner = s + F.value();
    outer = inner - mass;
    F.add(first_of(s), k);
    squares += w * (outer * outer + outer * inner + inner * inner);
    V i = summed_back(w * (outer + inner));
    store(a + k, w * (outer + 2 * inner) * C(1. / 3) - (i + right.value()));
    right.add(first_of(i), k);
  };
  for (k = (K - 1) / n * n; k > boundary; k -= n) backward(k, load(width + k));
  mask<C> not_higher = below<C>(t - boundary + 1);
  backward(boundary, select(not_higher, V{}, load(width + boundary)));
  C mass_above = outer[t - boundary];

  C s = C(cut.share), l = width[t] * s, r = width[t] * C(1 - cut.share);
  C lower_end = mass_below + e[t] * s, upper_end = mass_above + e[t] * C(1 - cut.share);
  C ht = (l * s * (mass_below + 2 * lower_end) +
          r * C(1 - cut.share) * (mass_above + 2 * upper_end)) / 3;
  V from_left = all(C(left.sum()) + l * (mass_below + lower_end) - ht);
  V from_right = all(C(right.sum()) + r * (mass_above + upper_end) - ht);
  C c = factor * iZ;
  store(a + boundary, select(lower, kept, load(a + boundary)));
  C at_bin = 0;
  if (mode >= 0 && mode != t) {
    // From the bin of the truth to the mode; the sums on its side start at the far end.
    const C beyond = a[mode];
    const V side = mode < t ? from_left : from_right;
    at_bin = -(beyond + side[0]);
    from_left = mode < t ? all(-beyond) : from_left + at_bin;
    from_right = mode < t ? from_right + at_bin : all(-beyond);
  }
  Total<C> mean;
  auto finish = [&](int64_t k, V v) {
    mean += load(e + k) * v;
    store(h + k, slopes(k) + v);
  };
  for (k = 0; k < boundary; k += n) finish(k, c * (load(a + k) + from_left));
  V v = c * (load(a + k) + select(lower, from_left, from_right));
  v = select(lower, v, select(not_higher, all(c * at_bin), v));
  finish(k, v);
  for (k += n; k < K; k += n) finish(k, c * (load(a + k) + from_right));
  fresh = false;
  hy += h[y];
  h[y] = 0;
  e[y] = 0;
  mu += sum(mean) * iZ;
  C whole = sum(squares) + l * (mass_below * mass_below + mass_below * lower_end + lower_end * lower_end) +
            r * (mass_above * mass_above + mass_above * upper_end + upper_end * upper_end);
  loss += factor * (whole * iZ * iZ / 3 + C(cut.outside));
}

}  // namespace OFFBY_LEVEL
