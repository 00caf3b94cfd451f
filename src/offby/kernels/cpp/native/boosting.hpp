// Loss, gradient and curvature by the raw outputs of trees: rows side by side in a vector.
// offby/boosting/_rows.py and _curvature.py are the specification, with the same names.
#pragma once
#include <algorithm>

#include "boosting_job.hpp"
#include "vectors.hpp"

namespace OFFBY_LEVEL {
namespace boosting {

// A mass that underflowed, where a loss divides by it.
template <class C> constexpr C LEAST = sizeof(C) == 4 ? C(1e-30) : C(1e-300);
// Rows in whose true class, or in all, is less than this are computed in double, or in
// logarithms.
template <class C> constexpr C FEW = sizeof(C) == 4 ? C(1e-15) : C(1e-200);
constexpr double LARGEST_LOG_SCALE = 5;  // as in offby/boosting/_basis.py

// Numbers of W rows, one vector for each class, run or output.
template <class C> struct Block {
  using V = vec<C>;
  V *p, *location, *scale, *inside, *outside, *slope, *bend, *tilt, *pull, *sums, *behind, *whole, *total, *x;
  double* log_true;  // log mass of the true class
  int64_t* row;      // where the rows are
  bool beside;       // whether one comes after the other, and there are W
  Block(const BoostingJob<C>& job, Memory& memory) {
    const int64_t K = job.classes + 1, E = job.runs + 1, L = job.outputs + 1;
    V* at = (V*)memory.of(sizeof(V) * size_t(7 * K + 6 * E + L + 1) + (sizeof(double) + sizeof(int64_t)) * lanes<C>);
    auto next = [&](int64_t n) { return (at += n) - n; };
    p = next(K), location = next(K), scale = next(K), pull = next(K), sums = next(K), behind = next(K), total = next(K);
    inside = next(E), outside = next(E), slope = next(E), bend = next(E), tilt = next(E), whole = next(E);
    x = next(L);
    log_true = (double*)at;
    row = (int64_t*)(log_true + lanes<C>);
  }
};

OFFBY_INLINE double log_sigmoid(double z) {
  return z < 0 ? z - std::log1p(std::exp(z)) : -std::log1p(std::exp(-z));
}

OFFBY_INLINE double softened(double u) { return std::tanh(u / LARGEST_LOG_SCALE); }

// One row in logarithms, where the masses of the quick way underflow.
static void careful(const BoostingJob<double>& job, const Block<double>& b, int lane, int64_t row) {
  const int64_t K = job.classes, first = job.shapes;
  double mu = job.shapes ? b.x[0][lane] : 0, squash = job.shapes > 1 ? softened(b.x[1][lane]) : 0;
  double size = std::exp(-LARGEST_LOG_SCALE * squash), speed = 1 - squash * squash;
  double most = -INFINITY;
  for (int64_t k = 0; k < K; k++) {
    double score = job.shapes ? 0 : job.base[k];
    for (int64_t l = first; l < job.outputs; l++) score += b.x[l][lane] * job.waves[(l - first) * K + k];
    if (job.shapes) {
      double by_mu = 0, by_scale = 0;
      if (k + 1 < K) {
        double z = (job.base[k] - mu) * size, above = std::exp(log_sigmoid(-z));
        score += log_sigmoid(z), by_mu -= above, by_scale -= z * above;
      }
      if (k > 0) {
        double z = (job.base[k - 1] - mu) * size, below = std::exp(log_sigmoid(z));
        score += log_sigmoid(-z), by_mu += below, by_scale += z * below;
      }
      if (k > 0 && k + 1 < K) {
        double gap = (job.base[k] - job.base[k - 1]) * size;
        score += std::log(-std::expm1(-gap));
        by_scale -= gap > 700 ? 0 : gap / std::expm1(gap);
      }
      b.location[k][lane] = size * by_mu;
      b.scale[k][lane] = speed * by_scale;
    }
    b.p[k][lane] = score;
    most = std::max(most, score);
  }
  double sum = 0;
  for (int64_t k = 0; k < K; k++) sum += std::exp(b.p[k][lane] - most);
  if (job.index) b.log_true[lane] = b.p[job.index[row]][lane] - most - std::log(sum);
  for (int64_t k = 0; k < K; k++) b.p[k][lane] = std::exp(b.p[k][lane] - most) / sum;
}

// (1 - e^-x) / x of a small x.
OFFBY_INLINE f32v series(f32v x) {
  f32v sum = all(1.f);
  for (int n = 7; n > 1; n--) sum = 1.f - sum * x * (1.f / float(n));
  return sum;
}
OFFBY_INLINE f64v series(f64v x) {
  f64v sum = all(1.);
  for (int n = 12; n > 1; n--) sum = 1. - sum * x * (1. / n);
  return sum;
}

// Masses of the location-scale model, and how location and scale move their logarithms.
// `Scaled`: whether the derivative by the log scale is asked for.
template <bool Scaled, class C, class V = vec<C>>
static void location_scale(const BoostingJob<C>& job, const Block<C>& b) {
  const int64_t K = job.classes;
  const V one = all(C(1)), none{};
  V mu = b.x[0], size = one, speed = one;
  if (job.shapes > 1) {
    V u = b.x[1] * C(1 / LARGEST_LOG_SCALE), e = exponential(magnitude(u) * C(-2));
    V squash = (one - e) / (one + e);
    squash = select(u < none, -squash, squash);
    // e^(-5 squash), of an exponent below 0.
    size = exponential((squash + one) * C(-LARGEST_LOG_SCALE)) * C(148.4131591025766);
    speed = one - squash * squash;
  }
  V low_z{}, low_below{}, low_above = one;  // of the cut before
  for (int64_t k = 0; k + 1 < K; k++) {
    V z = (all(job.base[k]) - mu) * size;
    V e = exponential(-magnitude(z)), most = quotient(one, one + e), least = e * most;
    auto left = z < none;
    V below = select(left, least, most), above = select(left, most, least);
    b.location[k] = size * (low_below - above);
    if (k > 0) {
      // F_k - F_k-1 = F_k (1 - F_k-1) (1 - e^-gap): by a series where the gap is small, else
      // as a difference on the side where both are small.
      V gap = all(job.base[k] - job.base[k - 1]) * size, both = below * low_above;
      V part = series(gap);
      V apart = select(left, below - low_below, low_above - above);
      auto near = gap < all(C(0.25));
      V q = select(near, both * gap * part, apart);
      b.p[k] = q;
      if (Scaled) {
        // gap / (e^gap - 1) = gap (1 - d) / d with d = 1 - e^-gap.
        V odds = select(near, quotient(one - gap * part, part),
                        select(q > all(LEAST<C>), quotient(gap * (both - q), q), none));
        b.scale[k] = speed * (low_z * low_below - z * above - odds);
      }
    } else {
      b.p[k] = below;
      if (Scaled) b.scale[k] = -speed * z * above;
    }
    low_z = z, low_below = below, low_above = above;
  }
  b.p[K - 1] = low_above;
  b.location[K - 1] = size * low_below;
  if (Scaled) b.scale[K - 1] = speed * low_z * low_below;
}

template <class C, class V = vec<C>>
static void masses(const BoostingJob<C>& job, const Block<C>& b, int count) {
  const int64_t K = job.classes, first = job.shapes, n = job.outputs - first;
  V most = all(-std::numeric_limits<C>::infinity()), sum{};
  for (int64_t k = 0; k < K; k++) {
    V w = all(first ? C(0) : job.base[k]);
    for (int64_t l = 0; l < n; l++) w += b.x[first + l] * job.waves[l * K + k];
    b.total[k] = w;
    most = greater(w, most);
  }
  if (first == 2 && job.gradient)
    location_scale<true>(job, b);
  else if (first)
    location_scale<false>(job, b);
  for (int64_t k = 0; k < K; k++) {
    V e = exponential(b.total[k] - most);
    b.p[k] = first ? b.p[k] * e : e;
    sum += b.p[k];
  }
  V share = all(C(1)) / sum;
  for (int64_t k = 0; k < K; k++) b.p[k] *= share;
  for (int i = 0; i < count; i++) {
    C own = job.index ? b.p[job.index[b.row[i]]][i] : C(1);
    const bool plain = sum[i] > FEW<C> && own > FEW<C>;
    if constexpr (sizeof(C) == 4) job.again[b.row[i]] = !plain;
    if (plain) {
      if (job.loss && job.cross_entropy != 0) b.log_true[i] = std::log(double(own));
    } else if constexpr (sizeof(C) == 8) {
      careful(job, b, i, b.row[i]);
    }
  }
}

// Mass before every place of the order, and of all at the end.
template <class C, class V = vec<C>> OFFBY_INLINE void prefixes(const BoostingJob<C>& job, const V* of, V* sums) {
  V sum{};
  for (int64_t k = 0; k < job.classes; k++) {
    sums[k] = sum;
    sum += of[job.order[k]];
  }
  sums[job.classes] = sum;
}
// The same behind every place, itself included.
template <class C, class V = vec<C>> OFFBY_INLINE void suffixes(const BoostingJob<C>& job, const V* of, V* sums) {
  V sum{};
  sums[job.classes] = sum;
  for (int64_t k = job.classes; k-- > 0;) sums[k] = sum += of[job.order[k]];
}
template <class C, class V = vec<C>> OFFBY_INLINE V run_sum(const BoostingJob<C>& job, const V* of, const V* sums, int64_t e) {
  if (!job.whole) return sums[job.end[e]] - sums[job.start[e]];
  V sum{};
  for (int64_t k = job.start[e]; k < job.end[e]; k++) sum += of[job.order[k]];
  return sum;
}

template <class C, class V = vec<C>> static void sides(const BoostingJob<C>& job, const Block<C>& b) {
  const int64_t E = job.runs;
  if (job.line) {
    V sum{};
    for (int64_t k = 0; k < E; k++) b.inside[k] = sum += b.p[k];
    sum = V{};
    for (int64_t k = E; k-- > 0;) b.outside[k] = sum += b.p[k + 1];
    return;
  }
  prefixes(job, b.p, b.sums);
  for (int64_t e = 0; e < E; e++) {
    b.inside[e] = run_sum(job, b.p, b.sums, e);
    b.outside[e] = b.sums[job.start[e]];
  }
  suffixes(job, b.p, b.behind);
  for (int64_t e = 0; e < E; e++) b.outside[e] += b.behind[job.end[e]];
}

template <class C> OFFBY_INLINE bool has_logs(const BoostingJob<C>& job) { return job.logs[job.runs] != 0; }

// Loss of the runs, its derivative (slope) and its second derivative (bend) by their masses.
// A logarithm's are infinite: `tilt` is its derivative by the difference of the mean moves
// inside and outside, see `each_run`.
template <class C, class V = vec<C>> static V runs(const BoostingJob<C>& job, const Block<C>& b, const V& rank, int count) {
  const int64_t E = job.runs;
  V loss{}, last{};
  const bool logs = has_logs(job);
  for (int64_t e = 0; e < E; e++) {
    const V in = b.inside[e], out = b.outside[e];
    auto held = job.line ? rank <= all(C(e))
                         : (rank >= all(C(job.start[e]))) & (rank < all(C(job.end[e])));
    V miss = select(held, -out, in);
    loss += job.squares[e] * miss * miss;
    V slope = 2 * job.squares[e] * miss, bend = all(2 * job.squares[e]);
    if (logs && job.loss) loss -= job.logs[e] * logarithm(greater(select(held, in, out), all(LEAST<C>)));
    b.tilt[e] = job.logs[e] * miss;
    b.bend[e] = bend;
    b.slope[e] = slope;
    if (e > 0 && job.numbers != 0) {
      const C o = 2 * job.between[e - 1];
      loss += o * miss * last;
      b.slope[e] += o * last;
      b.slope[e - 1] += o * miss;
    }
    last = miss;
  }
  if (job.numbers != 0)
    for (int i = 0; i < count; i++) {
      const int64_t y = job.index[b.row[i]];
      const C before = 2 * job.numbers * job.before[b.row[i]], after = 2 * job.numbers * job.after[b.row[i]];
      if (y > 0) b.slope[y - 1][i] += before, loss[i] += before * b.inside[y - 1][i];
      if (y < E) b.slope[y][i] += after, loss[i] -= after * b.outside[y][i];
    }
  return loss;
}

// On grounds without runs: -1/2 (p - 1_y)' D (p - 1_y), and minus D (p - 1_y) into `total`.
template <class C, class V = vec<C>> static V pairs(const BoostingJob<C>& job, const Block<C>& b, int count) {
  const int64_t K = job.classes;
  for (int64_t k = 0; k < K; k++) b.pull[k] = b.p[k];
  for (int i = 0; i < count; i++) {
    const int64_t y = job.index[b.row[i]];
    C elsewhere = 0;
    for (int64_t k = 0; k < K; k++) elsewhere += k == y ? 0 : b.p[k][i];
    b.pull[y][i] = -elsewhere;
  }
  V loss{};
  for (int64_t j = 0; j < K; j++) {
    V sum{};
    for (int64_t k = 0; k < K; k++) sum += job.distance[j * K + k] * b.pull[k];
    b.total[j] = -sum;
    loss -= C(.5) * sum * b.pull[j];
  }
  return loss;
}

// How output l moves the log mass of class k.
template <class C> struct Moves {
  using V = vec<C>;
  const V* own;      // location or scale
  const C* fixed;  // a wave
  inline __attribute__((always_inline)) V operator[](int64_t k) const { return own ? own[k] : all(C(fixed[k])); }
};
template <class C> OFFBY_INLINE Moves<C> moves_of(const BoostingJob<C>& job, const Block<C>& b, int64_t l) {
  if (l < job.shapes) return {l == 0 ? b.location : b.scale, nullptr};
  return {nullptr, job.waves + (l - job.shapes) * job.classes};
}

// Derivative of the masses by output l into `pull`; their mean move, and its variance.
template <class C, class V = vec<C>> OFFBY_INLINE V pulled(const BoostingJob<C>& job, const Block<C>& b, Moves<C> moves, V* variance) {
  V mean{}, spread{};
  for (int64_t k = 0; k < job.classes; k++) mean += b.p[k] * moves[k];
  for (int64_t k = 0; k < job.classes; k++) {
    V apart = moves[k] - mean;
    b.pull[k] = b.p[k] * apart;
    spread += b.pull[k] * apart;
  }
  *variance = spread;
  return mean;
}

// How every run's mass changes with output l; and, for logarithms, how far the mean move
// inside lies above that outside. The change is their product with both masses, but neither
// can be had from the other where a mass is next to nothing.
template <class C, class V = vec<C>, class See>
OFFBY_INLINE void each_run(const BoostingJob<C>& job, const Block<C>& b, Moves<C> moves, See see) {
  if (has_logs(job)) {
    for (int64_t k = 0; k < job.classes; k++) b.pull[k] = b.p[k] * moves[k];
    prefixes(job, b.pull, b.sums);
    suffixes(job, b.pull, b.behind);
    for (int64_t e = 0; e < job.runs; e++) {
      const V in = b.inside[e], out = b.outside[e];
      V apart = run_sum(job, b.pull, b.sums, e) / greater(in, all(LEAST<C>)) -
                   (b.sums[job.start[e]] + b.behind[job.end[e]]) / greater(out, all(LEAST<C>));
      see(e, in * out * apart, apart);
    }
    return;
  }
  if (job.line) {
    V sum{};
    for (int64_t e = 0; e < job.runs; e++) see(e, sum += b.pull[e], V{});
    return;
  }
  prefixes(job, b.pull, b.sums);
  for (int64_t e = 0; e < job.runs; e++) see(e, run_sum(job, b.pull, b.sums, e), V{});
}

// pull' P pull, with P the convex part of the distances.
template <class C, class V = vec<C>> static V squared_length(const BoostingJob<C>& job, const Block<C>& b) {
  const int64_t K = job.classes;
  V found{};
  for (int64_t j = 0; j < K; j++) {
    V sum{};
    for (int64_t k = 0; k < K; k++) sum += job.convex[j * K + k] * b.pull[k];
    found += sum * b.pull[j];
  }
  return greater(found, V{});
}
template <class V> OFFBY_INLINE V root(V v) {
  for (int i = 0; i < count_of<V>; i++) v[i] = std::sqrt(v[i]);
  return v;
}

// What a whole row needs before its outputs' curvatures. Gershgorin: in `whole` what every
// run meets, in `spread` the same of classes. Else: the factor of the variance.
template <class C, class V = vec<C>> static V prepared(const BoostingJob<C>& job, const Block<C>& b, V* spread) {
  const int64_t K = job.classes, E = job.runs;
  V factor{};
  if (job.kind == VARIANCE) {
    factor = all(job.cross_entropy);
    V last{};
    for (int64_t e = 0; e < E; e++) {
      V both = root(b.inside[e] * b.outside[e]);
      factor += 2 * job.squares[e] * both * both + job.logs[e];
      if (e > 0 && job.numbers != 0) factor += 4 * job.between[e - 1] * both * last;
      last = both;
    }
    for (int64_t j = 0; job.convex && j < K; j++) {
      V sum{};
      for (int64_t k = 0; k < K; k++) sum += job.convex[j * K + k] * b.p[k];
      factor += b.p[j] * (job.convex[j * K + j] - sum);
    }
    return factor;
  }
  for (int64_t k = 0; k < K; k++) spread[k] = V{};
  for (int64_t e = 0; e < E; e++) b.whole[e] = V{};
  for (int64_t l = 0; l < job.outputs; l++) {
    const Moves<C> moves = moves_of<C>(job, b, l);
    V variance, mean = pulled(job, b, moves, &variance);
    for (int64_t k = 0; k < K; k++) spread[k] += magnitude(moves[k] - mean);
    if (job.convex) factor += root(squared_length(job, b));
    each_run(job, b, moves, [&](int64_t e, V sum, V) { b.whole[e] += magnitude(sum); });
  }
  V last{};
  for (int64_t e = 0; e < E; e++) {
    const V own = b.whole[e];
    V met = own * b.bend[e];
    if (job.numbers != 0 && e > 0) met += 2 * job.between[e - 1] * last;
    if (job.numbers != 0 && e + 1 < E) met += 2 * job.between[e] * b.whole[e + 1];
    b.whole[e] = met;
    b.bend[e] = job.logs[e] * own;
    last = own;
  }
  return factor;
}



template <class C, class V> OFFBY_INLINE void put_some(C* to, int64_t step, const Block<C>& b, V v, int count) {
  if (step == 1 && b.beside) return store(to + b.row[0], v);
  for (int i = 0; i < count; i++) to[b.row[i] * step] = v[i];
}

// The outputs from l on, N of them, on a line without logarithms: no sum waits for another.
template <int N, bool Own, class C, class V = vec<C>>
static void straight(const BoostingJob<C>& job, const Block<C>& b, int64_t l, int count, V weight) {
  const int64_t K = job.classes, E = job.runs;
  const Moves<C> first = moves_of<C>(job, b, l);
  const V* own[N];
  const C* fixed[N];
  V mean[N]{}, sum[N]{}, last[N]{}, g[N]{}, h[N]{}, spread[N]{};
  for (int n = 0; n < N; n++) {
    own[n] = n == 0 ? b.location : b.scale;
    fixed[n] = Own ? nullptr : first.fixed + n * K;
  }
  auto move = [&](int n, int64_t k) { return Own ? own[n][k] : all(fixed[n][k]); };
  for (int64_t k = 0; k < K; k++)
    for (int n = 0; n < N; n++) mean[n] += b.p[k] * move(n, k);
  const bool histogram = job.numbers != 0, entropy = job.cross_entropy != 0;
  auto walk = [&](auto wide, auto with) {
    for (int64_t k = 0; k < E; k++) {
      const V p = b.p[k], slope = b.slope[k], bend = b.bend[k];
      const V beside = all(wide && k ? 4 * job.between[k - 1] : C(0));
      for (int n = 0; n < N; n++) {
        V apart = move(n, k) - mean[n], pull = p * apart;
        if (with) spread[n] += pull * apart;
        sum[n] += pull;
        g[n] += slope * sum[n];
        V met = bend * sum[n];
        if (wide) met += beside * last[n], last[n] = sum[n];
        h[n] += met * sum[n];
      }
    }
  };
  const std::true_type yes;
  const std::false_type no;
  if (histogram && entropy) walk(yes, yes);
  if (histogram && !entropy) walk(yes, no);
  if (!histogram && entropy) walk(no, yes);
  if (!histogram && !entropy) walk(no, no);
  for (int n = 0; n < N; n++) {
    if (entropy) {
      V apart = move(n, K - 1) - mean[n], at_truth{};
      h[n] += job.cross_entropy * (spread[n] + b.p[K - 1] * apart * apart);
      for (int i = 0; i < count; i++) at_truth[i] = move(n, job.index[b.row[i]])[i];
      g[n] += job.cross_entropy * (mean[n] - at_truth);
    }
    const int64_t at = (l + n) * job.out_output;
    put_some(job.gradient + at, job.out_row, b, g[n] * weight, count);
    put_some(job.curvature + at, job.out_row, b, greater(h[n], all(job.floor)) * weight, count);
  }
}

template <class C, class V = vec<C>> static void outputs(const BoostingJob<C>& job, const Block<C>& b, V* spread, int count, V weight) {
  const int64_t K = job.classes;
  if (job.line && job.kind == GAUSS_NEWTON && job.runs && !job.distance && !has_logs(job)) {
    int64_t l = job.shapes;
    if (l == 1) straight<1, true>(job, b, 0, count, weight);
    if (l == 2) straight<2, true>(job, b, 0, count, weight);
    for (; l + 3 <= job.outputs; l += 3) straight<3, false>(job, b, l, count, weight);
    for (; l < job.outputs; l++) straight<1, false>(job, b, l, count, weight);
    return;
  }
  const bool bound = job.kind == GERSHGORIN;
  V factor{};
  if (job.kind != GAUSS_NEWTON) factor = prepared(job, b, spread);
  const V floor = all(job.floor);
  for (int64_t l = 0; l < job.outputs; l++) {
    const Moves<C> moves = moves_of<C>(job, b, l);
    V variance, mean = pulled(job, b, moves, &variance), g{}, h{}, last{};
    // Before the runs, which use `pull` up.
    if (job.distance)
      for (int64_t k = 0; k < K; k++) g += b.pull[k] * b.total[k];
    if (job.cross_entropy != 0) {
      V true_move;
      for (int i = 0; i < lanes<C>; i++) true_move[i] = i < count ? moves[job.index[b.row[i]]][i] : 0;
      g += job.cross_entropy * (mean - true_move);
    }
    if (job.kind != VARIANCE) {
      V own = variance;
      if (bound) {
        own = V{};
        for (int64_t k = 0; k < K; k++) own += magnitude(b.pull[k]) * spread[k];
      }
      h = job.cross_entropy * own;
      if (job.convex) {
        V length = squared_length(job, b);
        h += bound ? root(length) * factor : length;
      }
    }
    each_run(job, b, moves, [&](int64_t e, V sum, V apart) {
      g += b.slope[e] * sum + b.tilt[e] * apart;
      if (bound) {
        h += b.whole[e] * magnitude(sum) + b.bend[e] * magnitude(apart);
      } else {
        h += b.bend[e] * sum * sum + job.logs[e] * sum * apart;
        if (e > 0 && job.numbers != 0) h += 4 * job.between[e - 1] * sum * last;
        last = sum;
      }
    });
    if (job.kind == VARIANCE) h = factor * variance;
    const int64_t at = l * job.out_output;
    put_some(job.gradient + at, job.out_row, b, g * weight, count);
    put_some(job.curvature + at, job.out_row, b, greater(h, floor) * weight, count);
  }
}

template <class C, class V = vec<C>> static void boost(const BoostingJob<C>& job, int64_t unit) {
  static thread_local Memory memory, more;
  Block<C> b(job, memory);
  const int64_t first = unit * lanes<C>, K = job.classes;
  const int count = int(std::min<int64_t>(lanes<C>, job.rows - first));
  for (int i = 0; i < count; i++) b.row[i] = job.picked ? job.picked[first + i] : first + i;
  b.beside = !job.picked && count == lanes<C>;
  for (int64_t l = 0; l < job.outputs; l++) {
    const C* from = job.raw + l * job.raw_output;
    if (b.beside && job.raw_row == 1) {
      b.x[l] = load(from + first);
      continue;
    }
    C x[lanes<C>]{};
    for (int i = 0; i < count; i++) x[i] = from[b.row[i] * job.raw_row];
    b.x[l] = load(x);
  }
  masses(job, b, count);
  if (job.probabilities)
    for (int64_t k = 0; k < K; k++) put_some(job.probabilities + k, K, b, b.p[k], count);
  if (!job.index) return;
  C ranks[lanes<C>]{}, weights[lanes<C>]{};
  for (int i = 0; i < count; i++) {
    ranks[i] = C(job.rank[job.index[b.row[i]]]);
    weights[i] = job.weight ? job.weight[b.row[i]] : 1;
  }
  V loss{};
  if (job.runs) {
    sides(job, b);
    loss += runs(job, b, load(ranks), count);
  }
  if (job.distance) loss += pairs(job, b, count);
  if (job.loss) {
    for (int i = 0; i < count && job.cross_entropy != 0; i++) loss[i] -= C(job.cross_entropy * b.log_true[i]);
    put_some(job.loss, 1, b, loss, count);
  }
  if (job.gradient) outputs(job, b, (V*)more.of(sizeof(V) * size_t(K)), count, load(weights));
}

}  // namespace boosting
}  // namespace OFFBY_LEVEL
