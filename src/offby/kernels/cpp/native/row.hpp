// One row at a time, lanes along its classes. For many classes, for float64, and, computed
// in float64, for the few rows that float32 cannot do justice.
#pragma once
#include "row_cumulative.hpp"
#include "row_segments.hpp"

namespace OFFBY_LEVEL {

template <class T, class C, unsigned Terms = ANY>
static void row(const Task& task, int64_t r, double scale);

template <class T, class C> static void no_class(const Job& job, int64_t r) {
  if (job.loss) {
    if (job.dtype == FLOAT64) ((double*)job.loss)[r] = NAN;
    else ((float*)job.loss)[r] = NAN;
  }
  if (!job.gradient) return;
  T* g = gradient_of<T>(job, r);
  for (int64_t k = 0; k < job.classes; k++) put(g + k * job.gradient_class, C(0));
}

template <class T, class C, unsigned Terms>
static void row(const Task& task, int64_t r, double scale) {
  using V = vec<C>;
  constexpr int n = lanes<C>;
  const Job& job = *task.job;
  const int64_t K = job.classes;
  const double* factor = job.factor;
  Cut cut{0, 0, 0};
  if (asks<Terms>(job, CRPS)) {
    if (std::isnan(job.value[r])) return no_class<T, C>(job, r);
    cut = cut_at(task, job.value[r]);
  }
  const int64_t y = job.index ? job.index[r] : cut.bin;
  if (y < 0 || y >= K) return no_class<T, C>(job, r);
  constexpr unsigned both = 1u << SQUARED_EMD | 1u << CROSS_ENTROPY;
  if constexpr (sizeof(C) == sizeof(float) && (Terms == 1u << SQUARED_EMD || Terms == both)) {
    const bool dense = job.logits_class == 1 && (!job.gradient || job.gradient_class == 1);
    if (dense && K > least_in_segments && row_in_segments<T, Terms>(task, r, float(scale))) return;
  }

  thread_local Memory memory;
  const int64_t stride = (K + 63) / 64 * 64 + 64;
  C* e = (C*)memory.of((64 + 4 * stride) * sizeof(C)) + 64;
  Row<T, C, Terms> it{job, ground_of<C>(task), task.forest, K, y, e, e + stride, e + 2 * stride, e + 3 * stride, 0, 0, 0};

  const T* x = logits_of<T>(job, r);
  // Whole vectors are read where they lie, twice; all others from a copy in e.
  constexpr bool alike = std::is_same_v<T, C>;
  const int64_t whole = job.logits_class == 1 ? K / n * n : 0, ends = (K + n - 1) / n * n;
  V top = all(-std::numeric_limits<C>::infinity());
  int64_t k = 0;
  if constexpr (alike)
    for (; k < whole; k += n) top = greater(load(x + k), top);
  else if constexpr (sizeof(C) == sizeof(float) && sizeof(T) < sizeof(C))
    for (; k < whole; k += n) {
      V v = load(x + k);
      store(e + k, v);
      top = greater(v, top);
    }
  C m = largest(top);
  for (; k < K; k++) {
    e[k] = C(number(x[k * job.logits_class]));
    m = e[k] > m ? e[k] : m;
  }
  for (; k < ends; k++) e[k] = -INFINITY;
  const int64_t boundary = y / n * n;
  if constexpr (alike)
    if (boundary < whole) store(e + boundary, load(x + boundary));
  const C xy = e[y];
  e[y] = -INFINITY;
  Total<C> masses;
  const V vm = all(m);
  auto mass = [&](int64_t k) {
    const C* from = e + k;
    if constexpr (alike)
      if (k < whole && k != boundary) from = x + k;
    V v = exponential(load(from) - vm);
    store(e + k, v);
    return v;
  };
  for (k = 0; k + n < K; k += 2 * n) masses += mass(k) + mass(k + n);
  if (k < K) masses += mass(k);
  const C rest = sum(masses);
  it.ey = exponential_of(C(xy - m));
  it.Z = rest + it.ey;
  it.iZ = 1 / it.Z;

  const bool sloped = asks<Terms>(job, WASSERSTEIN) || asks<Terms>(job, SQUARED_EMD) ||
                      asks<Terms>(job, CRPS) || asks<Terms>(job, TREE);
  const bool sure = sloped && it.Z < 2 && it.ey < 1;  // of a wrong class
  if (sure && sizeof(C) == sizeof(float)) {
    const bool powers = asks<Terms>(job, WASSERSTEIN) && job.power != 1 && job.power != 2;
    if (powers || asks<Terms>(job, TREE)) return row<T, double>(task, r, scale);
  }
  if (sure)
    for (it.mode = 0; it.mode < K && e[it.mode] != 1;) it.mode++;
  const C ce = asks<Terms>(job, CROSS_ENTROPY) ? C(factor[CROSS_ENTROPY]) : 0;
  if (asks<Terms>(job, CROSS_ENTROPY)) {
    C near = std::log1p(rest), far = std::log(it.Z) + (m - xy);
    it.loss += ce * (it.Z != it.Z ? it.Z : xy == m ? near : far);
  }
  if (asks<Terms>(job, SQUARED_EMD)) it.squared_emd(C(factor[SQUARED_EMD]));
  if (asks<Terms>(job, TREE)) it.tree(C(factor[TREE]));
  if (asks<Terms>(job, WASSERSTEIN)) it.wasserstein(C(factor[WASSERSTEIN]));
  if (asks<Terms>(job, CRPS)) it.crps(C(factor[CRPS]), cut);
  const C cumulative = asks<Terms>(job, CUMULATIVE) ? C(factor[CUMULATIVE]) : 0;
  if constexpr (sizeof(C) == sizeof(float)) {
    if (cumulative != 0 && !it.cumulative(cumulative)) return row<T, double>(task, r, scale);
  } else {
    if (cumulative != 0) it.cumulative_in_logs(cumulative, x, m);
  }

  if (job.loss) {
    if (job.dtype == FLOAT64) ((double*)job.loss)[r] = it.loss;
    else ((float*)job.loss)[r] = float(it.loss);
  }
  if (!job.gradient) return;
  // The scale comes last, by itself: then a gradient made for one scale and multiplied by a
  // power of two has the bits of one made for the other.
  T* g = gradient_of<T>(job, r);
  V size = all(C(scale)), shift = all((it.mu - ce) * it.iZ);
  it.times *= it.iZ;
  it.far *= it.iZ;
  const bool logs = sizeof(C) == sizeof(double) && cumulative != 0;
  auto slope = [&](int64_t k) {
    V v = load(it.e + k) * (it.slopes(k) - shift);
    if (logs) v += all(cumulative) * load(it.b + k);
    return v * size;
  };
  C gy = it.ey * it.iZ * (it.hy - it.mu) - ce * rest * it.iZ;
  if (logs) gy += cumulative * it.b[y];
  k = 0;
  if constexpr (sizeof(T) <= sizeof(C) && !(sizeof(C) == 8 && sizeof(T) < 8))
    if (job.gradient_class == 1)
      for (; k + n <= K; k += n) store(g + k, slope(k));
  if constexpr (std::is_same_v<T, float> && std::is_same_v<C, float>)
    if (job.gradient_class == 1 && k < K) {
      store_some(g + k, slope(k), K - k);
      k += n;
    }
  for (; k < K; k += n) {
    V v = slope(k);
    for (int i = 0; i < n && k + i < K; i++) put(g + (k + i) * job.gradient_class, C(v[i]));
  }
  put(g + y * job.gradient_class, gy * C(scale));
}

}  // namespace OFFBY_LEVEL
