// Loss, gradient and curvature by the raw outputs of trees: rows side by side in a vector.
// offby/boosting/_rows.py and _curvature.py are the specification, with the same names.
#pragma once
#include <algorithm>

#include "boosting_job.hpp"
#include "vectors.hpp"

namespace OFFBY_LEVEL {
namespace boosting {

constexpr int W = lanes<double>;
constexpr double LEAST = 1e-300;         // a mass that underflowed, where a loss divides
constexpr double LARGEST_LOG_SCALE = 5;  // as in offby/boosting/_basis.py

// Numbers of W rows, one vector for each class, run or output.
struct Block {
  f64v *p, *location, *scale, *inside, *outside, *slope, *bend, *pull, *sums, *whole, *total, *x;
  double* log_true;  // log mass of the true class
  Block(const BoostingJob& job, Memory& memory) {
    const int64_t K = job.classes + 1, E = job.runs + 1, L = job.outputs + 1;
    f64v* at = (f64v*)memory.of(sizeof(f64v) * size_t(6 * K + 6 * E + 2 * L + 4));
    auto next = [&](int64_t n) { return (at += n) - n; };
    p = next(K), location = next(K), scale = next(K), pull = next(K), sums = next(K), total = next(K);
    inside = next(E), outside = next(E), slope = next(E), bend = next(E), whole = next(E);
    x = next(L);
    log_true = (double*)next(1);
  }
};

OFFBY_INLINE double log_sigmoid(double z) {
  return z < 0 ? z - std::log1p(std::exp(z)) : -std::log1p(std::exp(-z));
}

OFFBY_INLINE double softened(double u) { return std::tanh(u / LARGEST_LOG_SCALE); }

// One row in logarithms, where the masses of the quick way underflow.
static void careful(const BoostingJob& job, const Block& b, int lane, int64_t row) {
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

// Masses of the location-scale model, and how location and scale move their logarithms.
static void location_scale(const BoostingJob& job, const Block& b) {
  const int64_t K = job.classes;
  const f64v one = all(1.), none{};
  f64v mu = b.x[0], size = one, speed = one;
  if (job.shapes > 1) {
    f64v u = b.x[1] * (1 / LARGEST_LOG_SCALE), e = exponential(magnitude(u) * -2.);
    f64v squash = (one - e) / (one + e);
    squash = select(u < none, -squash, squash);
    // e^(-5 squash), of an exponent below 0.
    size = exponential((squash + 1.) * -LARGEST_LOG_SCALE) * 148.4131591025766;
    speed = one - squash * squash;
  }
  f64v low_z{}, low_below{}, low_above = one;  // of the cut before
  for (int64_t k = 0; k + 1 < K; k++) {
    f64v z = (job.base[k] - mu) * size;
    f64v e = exponential(-magnitude(z)), most = one / (one + e), least = e * most;
    auto left = z < none;
    f64v below = select(left, least, most), above = select(left, most, least);
    // The difference on the side where both are small.
    f64v q = select(left, below - low_below, low_above - above);
    b.location[k] = size * (low_below - above);
    if (job.shapes > 1) {
      f64v by = low_z * low_below - z * above;
      if (k > 0) {
        // gap / (e^gap - 1), with 1 - e^-gap = q / (F_k (1 - F_k-1)).
        f64v both = below * low_above;
        f64v odds = select(q > all(LEAST), (both - q) / q, none);
        by -= (job.base[k] - job.base[k - 1]) * size * odds;
      }
      b.scale[k] = speed * by;
    }
    b.p[k] = k > 0 ? q : below;
    low_z = z, low_below = below, low_above = above;
  }
  b.p[K - 1] = low_above;
  b.location[K - 1] = size * low_below;
  if (job.shapes > 1) b.scale[K - 1] = speed * low_z * low_below;
}

static void masses(const BoostingJob& job, const Block& b, int64_t row, int count) {
  const int64_t K = job.classes, first = job.shapes, n = job.outputs - first;
  f64v most = all(-double(INFINITY)), sum{};
  for (int64_t k = 0; k < K; k++) {
    f64v w = all(first ? 0. : job.base[k]);
    for (int64_t l = 0; l < n; l++) w += b.x[first + l] * job.waves[l * K + k];
    b.total[k] = w;
    most = greater(w, most);
  }
  if (first) location_scale(job, b);
  for (int64_t k = 0; k < K; k++) {
    f64v e = exponential(b.total[k] - most);
    b.p[k] = first ? b.p[k] * e : e;
    sum += b.p[k];
  }
  f64v share = 1. / sum;
  for (int64_t k = 0; k < K; k++) b.p[k] *= share;
  for (int i = 0; i < count; i++) {
    double own = job.index ? b.p[job.index[row + i]][i] : 1;
    if (!(sum[i] > 1e-200 && own > 1e-200))
      careful(job, b, i, row + i);
    else if (job.loss && job.cross_entropy != 0)
      b.log_true[i] = std::log(own);
  }
}

// Mass before every place of the order, and of all at the end.
OFFBY_INLINE void prefixes(const BoostingJob& job, const f64v* of, f64v* sums) {
  f64v sum{};
  for (int64_t k = 0; k < job.classes; k++) {
    sums[k] = sum;
    sum += of[job.order[k]];
  }
  sums[job.classes] = sum;
}
OFFBY_INLINE f64v run_sum(const BoostingJob& job, const f64v* of, const f64v* sums, int64_t e) {
  if (!job.whole) return sums[job.end[e]] - sums[job.start[e]];
  f64v sum{};
  for (int64_t k = job.start[e]; k < job.end[e]; k++) sum += of[job.order[k]];
  return sum;
}

static void sides(const BoostingJob& job, const Block& b) {
  const int64_t K = job.classes, E = job.runs;
  if (job.line) {
    f64v sum{};
    for (int64_t k = 0; k < E; k++) b.inside[k] = sum += b.p[k];
    sum = f64v{};
    for (int64_t k = E; k-- > 0;) b.outside[k] = sum += b.p[k + 1];
    return;
  }
  prefixes(job, b.p, b.sums);
  for (int64_t e = 0; e < E; e++) {
    b.inside[e] = run_sum(job, b.p, b.sums, e);
    b.outside[e] = b.sums[job.start[e]];
  }
  f64v sum{};  // the mass behind every place
  for (int64_t k = K; k-- > 0;) {
    f64v behind = sum;
    sum += b.p[job.order[k]];
    b.sums[k + 1] = behind;
  }
  b.sums[0] = sum;
  for (int64_t e = 0; e < E; e++) b.outside[e] += b.sums[job.end[e]];
}

// Loss of the runs, its derivative (slope) and its second derivative (bend) by their masses.
static f64v runs(const BoostingJob& job, const Block& b, const f64v& rank, int64_t row, int count) {
  const int64_t E = job.runs;
  f64v loss{}, last{};
  const bool logs = job.logs[E] != 0;  // behind the last: whether there are any
  for (int64_t e = 0; e < E; e++) {
    const f64v in = b.inside[e], out = b.outside[e];
    auto held = job.line ? rank <= all(double(e))
                         : (rank >= all(double(job.start[e]))) & (rank < all(double(job.end[e])));
    f64v miss = select(held, -out, in);
    loss += job.squares[e] * miss * miss;
    f64v slope = 2 * job.squares[e] * miss, bend = all(2 * job.squares[e]);
    if (logs) {
      f64v side = greater(select(held, in, out), all(LEAST));
      f64v push = job.logs[e] / side;
      slope += select(held, -push, push);
      bend += job.logs[e] / greater(in * out, all(LEAST));
      if (job.loss) loss -= job.logs[e] * logarithm(side);
    }
    b.bend[e] = bend;
    b.slope[e] = slope;
    if (e > 0 && job.numbers != 0) {
      const double o = 2 * job.between[e - 1];
      loss += o * miss * last;
      b.slope[e] += o * last;
      b.slope[e - 1] += o * miss;
    }
    last = miss;
  }
  if (job.numbers != 0)
    for (int i = 0; i < count; i++) {
      const int64_t y = job.index[row + i];
      const double before = 2 * job.numbers * job.before[row + i], after = 2 * job.numbers * job.after[row + i];
      if (y > 0) b.slope[y - 1][i] += before, loss[i] += before * b.inside[y - 1][i];
      if (y < E) b.slope[y][i] += after, loss[i] -= after * b.outside[y][i];
    }
  return loss;
}

// On grounds without runs: -1/2 (p - 1_y)' D (p - 1_y), and minus D (p - 1_y) into `total`.
static f64v pairs(const BoostingJob& job, const Block& b, int64_t row, int count) {
  const int64_t K = job.classes;
  for (int64_t k = 0; k < K; k++) b.pull[k] = b.p[k];
  for (int i = 0; i < count; i++) {
    const int64_t y = job.index[row + i];
    double elsewhere = 0;
    for (int64_t k = 0; k < K; k++) elsewhere += k == y ? 0 : b.p[k][i];
    b.pull[y][i] = -elsewhere;
  }
  f64v loss{};
  for (int64_t j = 0; j < K; j++) {
    f64v sum{};
    for (int64_t k = 0; k < K; k++) sum += job.distance[j * K + k] * b.pull[k];
    b.total[j] = -sum;
    loss -= .5 * sum * b.pull[j];
  }
  return loss;
}

// How output l moves the log mass of class k.
struct Moves {
  const f64v* own;      // location or scale
  const double* fixed;  // a wave
  inline __attribute__((always_inline)) f64v operator[](int64_t k) const { return own ? own[k] : all(fixed[k]); }
};
OFFBY_INLINE Moves moves_of(const BoostingJob& job, const Block& b, int64_t l) {
  if (l < job.shapes) return {l == 0 ? b.location : b.scale, nullptr};
  return {nullptr, job.waves + (l - job.shapes) * job.classes};
}

// Derivative of the masses by output l into `pull`; their mean move, and its variance.
OFFBY_INLINE f64v pulled(const BoostingJob& job, const Block& b, Moves moves, f64v* variance) {
  f64v mean{}, spread{};
  for (int64_t k = 0; k < job.classes; k++) mean += b.p[k] * moves[k];
  for (int64_t k = 0; k < job.classes; k++) {
    f64v apart = moves[k] - mean;
    b.pull[k] = b.p[k] * apart;
    spread += b.pull[k] * apart;
  }
  *variance = spread;
  return mean;
}

template <class See> OFFBY_INLINE void each_run(const BoostingJob& job, const Block& b, See see) {
  if (job.line) {
    f64v sum{};
    for (int64_t e = 0; e < job.runs; e++) see(e, sum += b.pull[e]);
    return;
  }
  prefixes(job, b.pull, b.sums);
  for (int64_t e = 0; e < job.runs; e++) see(e, run_sum(job, b.pull, b.sums, e));
}

// pull' P pull, with P the convex part of the distances.
static f64v squared_length(const BoostingJob& job, const Block& b) {
  const int64_t K = job.classes;
  f64v found{};
  for (int64_t j = 0; j < K; j++) {
    f64v sum{};
    for (int64_t k = 0; k < K; k++) sum += job.convex[j * K + k] * b.pull[k];
    found += sum * b.pull[j];
  }
  return greater(found, f64v{});
}
OFFBY_INLINE f64v root(f64v v) {
  for (int i = 0; i < W; i++) v[i] = std::sqrt(v[i]);
  return v;
}

// What a whole row needs before its outputs' curvatures. Gershgorin: in `whole` what every
// run meets, in `spread` the same of classes. Else: the factor of the variance.
static f64v prepared(const BoostingJob& job, const Block& b, f64v* spread) {
  const int64_t K = job.classes, E = job.runs;
  f64v factor{};
  if (job.kind == VARIANCE) {
    factor = all(job.cross_entropy);
    f64v last{};
    for (int64_t e = 0; e < E; e++) {
      f64v both = root(b.inside[e] * b.outside[e]);
      factor += 2 * job.squares[e] * both * both + job.logs[e];
      if (e > 0 && job.numbers != 0) factor += 4 * job.between[e - 1] * both * last;
      last = both;
    }
    for (int64_t j = 0; job.convex && j < K; j++) {
      f64v sum{};
      for (int64_t k = 0; k < K; k++) sum += job.convex[j * K + k] * b.p[k];
      factor += b.p[j] * (job.convex[j * K + j] - sum);
    }
    return factor;
  }
  for (int64_t k = 0; k < K; k++) spread[k] = f64v{};
  for (int64_t e = 0; e < E; e++) b.whole[e] = f64v{};
  for (int64_t l = 0; l < job.outputs; l++) {
    const Moves moves = moves_of(job, b, l);
    f64v variance, mean = pulled(job, b, moves, &variance);
    for (int64_t k = 0; k < K; k++) spread[k] += magnitude(moves[k] - mean);
    each_run(job, b, [&](int64_t e, f64v sum) { b.whole[e] += magnitude(sum); });
    if (job.convex) factor += root(squared_length(job, b));
  }
  f64v last{};
  for (int64_t e = 0; e < E; e++) {
    const f64v own = b.whole[e];
    f64v met = own * b.bend[e];
    if (job.numbers != 0 && e > 0) met += 2 * job.between[e - 1] * last;
    if (job.numbers != 0 && e + 1 < E) met += 2 * job.between[e] * b.whole[e + 1];
    b.whole[e] = met;
    last = own;
  }
  return factor;
}

OFFBY_INLINE void put_some(double* to, int64_t step, f64v v, int count) {
  for (int i = 0; i < count; i++) to[i * step] = v[i];
}

static void outputs(const BoostingJob& job, const Block& b, f64v* spread, int64_t row, int count, f64v weight) {
  const int64_t K = job.classes;
  const bool bound = job.kind == GERSHGORIN;
  f64v factor{};
  if (job.kind != GAUSS_NEWTON) factor = prepared(job, b, spread);
  const f64v floor = all(job.floor);
  for (int64_t l = 0; l < job.outputs; l++) {
    const Moves moves = moves_of(job, b, l);
    f64v variance, mean = pulled(job, b, moves, &variance), g{}, h{}, last{};
    if (job.kind == GAUSS_NEWTON && job.numbers == 0) {
      each_run(job, b, [&](int64_t e, f64v sum) {
        g += b.slope[e] * sum;
        h += b.bend[e] * sum * sum;
      });
    } else {
      each_run(job, b, [&](int64_t e, f64v sum) {
        g += b.slope[e] * sum;
        if (bound) {
          h += b.whole[e] * magnitude(sum);
        } else {
          h += b.bend[e] * sum * sum;
          if (e > 0) h += 4 * job.between[e - 1] * sum * last;
          last = sum;
        }
      });
    }
    if (job.distance)
      for (int64_t k = 0; k < K; k++) g += b.pull[k] * b.total[k];
    if (job.cross_entropy != 0) {
      f64v true_move;
      for (int i = 0; i < W; i++) true_move[i] = i < count ? moves[job.index[row + i]][i] : 0;
      g += job.cross_entropy * (mean - true_move);
    }
    if (job.kind == VARIANCE) {
      h = factor * variance;
    } else {
      f64v own = variance;
      if (bound) {
        own = f64v{};
        for (int64_t k = 0; k < K; k++) own += magnitude(b.pull[k]) * spread[k];
      }
      h += job.cross_entropy * own;
      if (job.convex) {
        f64v length = squared_length(job, b);
        h += bound ? root(length) * factor : length;
      }
    }
    const int64_t at = row * job.out_row + l * job.out_output;
    put_some(job.gradient + at, job.out_row, g * weight, count);
    put_some(job.curvature + at, job.out_row, greater(h, floor) * weight, count);
  }
}

static void boost(const BoostingJob& job, int64_t unit) {
  static thread_local Memory memory, more;
  const Block b(job, memory);
  const int64_t row = unit * W, K = job.classes;
  const int count = int(std::min<int64_t>(W, job.rows - row));
  for (int64_t l = 0; l < job.outputs; l++) {
    b.x[l] = f64v{};
    for (int i = 0; i < count; i++) b.x[l][i] = job.raw[(row + i) * job.raw_row + l * job.raw_output];
  }
  masses(job, b, row, count);
  if (job.probabilities)
    for (int64_t k = 0; k < K; k++) put_some(job.probabilities + row * K + k, K, b.p[k], count);
  if (!job.index) return;
  f64v rank{}, weight{};
  for (int i = 0; i < count; i++) {
    rank[i] = double(job.rank[job.index[row + i]]);
    weight[i] = job.weight ? job.weight[row + i] : 1;
  }
  f64v loss{};
  if (job.runs) {
    sides(job, b);
    loss += runs(job, b, rank, row, count);
  }
  if (job.distance) loss += pairs(job, b, row, count);
  if (job.loss) {
    for (int i = 0; i < count && job.cross_entropy != 0; i++) loss[i] -= job.cross_entropy * b.log_true[i];
    put_some(job.loss + row, 1, loss, count);
  }
  if (job.gradient) outputs(job, b, (f64v*)more.of(sizeof(f64v) * size_t(K)), row, count, weight);
}

}  // namespace boosting
}  // namespace OFFBY_LEVEL
