// The squared EMD of one long row, perhaps with its cross-entropy. It is cut into as many segments
// as a vector has lanes, and each lane walks along its own: running sums need no shuffles. float32 inside; the formulas are
// those of block_terms.hpp, and what lies between two lanes is added in float64.
#pragma once
#include "row_terms.hpp"
#include "turn.hpp"

namespace OFFBY_LEVEL {

// Fewer classes would leave more than the last segment short.
constexpr int64_t least_in_segments = n * n * n;

// Numbers of a row in segments: vector k holds number k of each.
struct Segments {
  int64_t K, length;
  explicit Segments(int64_t K) : K(K), length((K + n * n - 1) / (n * n) * n) {
    // An odd number of vectors: segments a power of two apart would share the places of a cache.
    if (length / n % 2 == 0 && (n - 1) * (length + n) < K) length += n;
  }
  // All but the last segment are whole.
  int64_t left_of_last(int64_t k) const {
    const int64_t left = K - (n - 1) * length - k;
    return left < 0 ? 0 : left < n ? left : n;
  }
  template <class T> void read(const T* from, int64_t k, float other, V (&v)[n]) const {
    for (int i = 0; i < n - 1; i++) v[i] = load(from + i * length + k);
    const int64_t left = left_of_last(k);
    if (left == n) v[n - 1] = load(from + (n - 1) * length + k);
    else v[n - 1] = load_upto(from + (n - 1) * length + k, left, other);
  }
  template <class T> void write(T* to, int64_t k, const V (&v)[n]) const {
    for (int i = 0; i < n - 1; i++) store(to + i * length + k, v[i]);
    const int64_t left = left_of_last(k);
    if (left == n) store(to + (n - 1) * length + k, v[n - 1]);
    else if (left > 0) store_few(to + (n - 1) * length + k, v[n - 1], left);
  }
  static V load_upto(const float* from, int64_t count, float other) {
    return count ? load_some(from, count, other) : all(other);
  }
  static V load_upto(const bfloat16* from, int64_t count, float other) {
    alignas(64) float wide[n];
    for (int k = 0; k < n; k++) wide[k] = k < count ? number(from[k]) : other;
    return load(wide);
  }
};

// Of each lane the sum of those before it.
OFFBY_INLINE void sums_before(const float (&of)[n], double (&before)[n]) {
  double sum = 0;
  for (int i = 0; i < n; i++) before[i] = sum, sum += double(of[i]);
}

// False, with nothing written, if the row has to go the way of all others: if it is sure of a
// wrong class, or is no distribution.
template <class T, unsigned Terms>
static bool row_in_segments(const Task& task, int64_t r, float scale) {
  const Job& job = *task.job;
  const Ground<float>& ground = task.single;
  const int64_t K = job.classes, y = job.index[r];
  const Segments in(K);
  const int64_t length = in.length, at = y % length, lane = y / length;
  const T* x = logits_of<T>(job, r);
  V tops[4];
  for (V& top : tops) top = all(-std::numeric_limits<float>::infinity());
  int64_t k = 0;
  for (; k + 4 * n <= K; k += 4 * n)
    for (int i = 0; i < 4; i++) tops[i] = greater(load(x + k + i * n), tops[i]);
  float m = largest(greater(greater(tops[0], tops[1]), greater(tops[2], tops[3])));
  for (; k < K; k++) m = number(x[k]) > m ? number(x[k]) : m;

  thread_local Memory memory;
  float* e = (float*)memory.of(2 * length * n * sizeof(float));
  float* h = e + length * n;
  const V vm = all(m);
  const M here = counting<float>() == all(int32_t(lane));
  Running<V> total;
  for (k = 0; k < length; k += n) {
    V v[n];
    in.read(x, k, -std::numeric_limits<float>::infinity(), v);
    for (int i = 0; i < n; i++) v[i] = exponential(v[i] - vm);
    turn(v);
    if (k == at / n * n)  // the true class goes its own way: its mass may be all but one
      for (int i = 0; i < n; i++)
        if (k + i == at) v[i] = select(here, V{}, v[i]);
    for (int i = 0; i < n; i++) {
      store(e + (k + i) * n, v[i]);
      total.recent += v[i];
    }
    if (k / n % 4 == 3) total.move();
  }
  alignas(64) float masses[n], sums[n], starts[n];
  store(masses, total.value());
  double before[n], rest = 0;
  for (int i = 0; i < n; i++) rest += double(masses[i]);
  const float xy = number(x[y]), ey = exponential_of(xy - m), Z = float(rest + double(ey)), iZ = 1 / Z;
  if (!(Z >= 2 || ey == 1)) return false;

  // Mass up to each class; from the truth on minus what is right of it.
  sums_before(masses, before);
  double beyond = 0;
  for (int64_t i = n - 1; i > lane; i--) beyond -= double(masses[i]), before[i] = beyond;
  for (int i = 0; i < n; i++) starts[i] = float(before[i]);
  e[at * n + lane] = float(-rest);
  Running<V> F, B, squares;
  F.moved = load(starts);
  auto step = [&](int64_t k, V gap) {
    F.recent += load(e + k * n);
    V mass = F.value();
    store(h + k * n, B.value());
    V f = gap * mass;
    squares.recent += f * mass;
    B.recent += f;
  };
  const bool even = ground.step != 0;
  const V gap = all(ground.step);
  for (k = 0; k < length; k += n) {
    if (even) {
      for (int i = 0; i < n; i++) step(k + i, gap);
    } else {
      V gaps[n];
      in.read(ground.gap, k, 0, gaps);
      turn(gaps);
      for (int i = 0; i < n; i++) step(k + i, gaps[i]);
    }
    if (k / n % 4 == 3) F.move(), B.move(), squares.move();
  }
  e[at * n + lane] = 0;
  const float factor = float(job.factor[SQUARED_EMD]);
  const float value = factor * sum(squares.value()) * iZ * iZ, mean = 2 * value;
  const float ce = asks<Terms>(job, CROSS_ENTROPY) ? float(job.factor[CROSS_ENTROPY]) : 0;
  if (job.loss) {
    const float near = std::log1p(float(rest)), far = std::log(Z) + (m - xy);
    ((float*)job.loss)[r] = ce == 0 ? value : value + ce * (xy == m ? near : far);
  }
  if (!job.gradient) return true;

  // Rising to the truth, falling from it: the slopes upside down, but for the constant.
  store(sums, B.value());
  sums_before(sums, before);
  const double at_truth = before[lane] + double(h[at * n + lane]);
  for (int i = 0; i < n; i++) starts[i] = float(before[i] - at_truth);
  const V offset = load(starts), times = all(-2 * factor * iZ * iZ), shift = all((mean - ce) * iZ), size = all(scale);
  T* g = gradient_of<T>(job, r);
  for (k = 0; k < length; k += n) {
    V v[n];
    for (int i = 0; i < n; i++) {
      const int64_t at = (k + i) * n;
      v[i] = load(e + at) * ((load(h + at) + offset) * times - shift) * size;
    }
    turn(v);
    in.write(g, k, v);
  }
  put(g + y, -(ey * iZ * mean + ce * float(rest) * iZ) * scale);
  return true;
}

}  // namespace OFFBY_LEVEL
