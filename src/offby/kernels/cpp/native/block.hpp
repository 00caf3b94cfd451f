// As many rows at once as a vector has lanes: loads and turns them, sums the terms, turns and
// stores the gradient. For few classes, and for classes that do not lie side by side (images).
#pragma once
#include "block_terms.hpp"
#include "row.hpp"

namespace OFFBY_LEVEL {

// One unit of rows: first, first + 1, ... of which `count` exist.
template <class T, unsigned Terms>
static void block(const Task& task, int64_t first, int64_t count, const float* scales) {
  const Job& job = *task.job;
  const int64_t K = job.classes;
  const double* factor = job.factor;
  const bool beside = job.inner > 1 || job.logits_class != 1;  // rows lie side by side
  const T* x = logits_of<T>(job, first);
  thread_local Memory memory;
  float* e = (float*)memory.of((3 * (K + 16) * n + n) * sizeof(float));
  Block<Terms> it{job, task.single, task.forest, K, M{}, e, e + (K + 16) * n, e + 2 * (K + 16) * n};
  constexpr bool lines = Terms & (ANY | 1 << WASSERSTEIN | 1 << CUMULATIVE);

  // Lanes without a row are like the first row with class 0.
  Gathered<int32_t> truth, bin, rank, leaf;
  Gathered<float> share, outside, size, place, crumb, own;
  M known;
  constexpr bool classes_only = !(Terms & (ANY | 1 << CRPS));
  if (classes_only && count == n) {
    M y;
    known = classes_of(job.index + first, K, y);
    store(truth, y);
  } else {
    Gathered<int32_t> found;
    for (int i = 0; i < n; i++) {
      const int64_t r = first + (i < count ? i : 0);
      found[i] = -1;
      if (asks<Terms>(job, CRPS)) {
        double value = job.value[r];
        if (std::isnan(value)) found[i] = 0;
        Cut cut = cut_at(task, std::isnan(value) ? job.edges[0] : value);
        bin[i] = int32_t(cut.bin);
        share[i] = float(cut.share);
        outside[i] = float(cut.outside);
      }
      int64_t y = job.index ? job.index[r] : bin[i];
      if (y < 0 || y >= K) found[i] = 0, y = 0;
      truth[i] = int32_t(y);
    }
    known = load(found);
  }
  for (int i = 0; i < n; i++) {
    const int32_t y = truth[i];
    if (asks<Terms>(job, TREE)) rank[i] = task.forest.rank[y], leaf[i] = task.forest.leaf[y];
    if (scales) size[i] = scales[i < count ? i : 0];
    if (lines) place[i] = task.single.place[y], crumb[i] = task.single.crumb[y];
  }
  it.y = load(truth);
  if (lines) it.place = load(place), it.crumb = load(crumb);

  V m = all(-std::numeric_limits<float>::infinity());
  auto take = [&](int64_t k, V v) {
    store(e + k * n, v);
    m = greater(v, m);
  };
  if (beside && count == n)
    for (int64_t k = 0; k < K; k++) take(k, load(x + k * job.logits_class));
  else if (beside)
    for (int64_t k = 0; k < K; k++) take(k, load_few(x + k * job.logits_class, count));
  else if (count == n && K >= n)
    for (int64_t k = 0; k < K; k += n) {
      // The last columns once more, together with those before them.
      if (k + n > K) k = K - n;
      V v[n];
#pragma GCC unroll 16
      for (int i = 0; i < n; i++) v[i] = load(x + i * job.logits_outer + k);
      turn(v);
#pragma GCC unroll 16
      for (int i = 0; i < n; i++) take(k + i, v[i]);
    }
  else
    for (int64_t k = 0; k < K; k += n) {
      if (k + n > K && K >= n) k = K - n;
      V v[n];
      for (int i = 0; i < n; i++) {
        const T* from = x + (i < count ? i : 0) * job.logits_outer + k;
        v[i] = K < n ? load_few(from, K) : load(from);
      }
      turn(v);
      for (int i = 0; i < n; i++)
        if (k + i < K) take(k + i, v[i]);
    }

  // The true class goes its own way: its mass may be all but one. Of few classes it is told
  // by comparing, for what was just written number by number is slow to read as a vector.
  const bool few = it.few();
  V xy{};
  if (!few) {
    for (int i = 0; i < n; i++) {
      float& mine = e[truth[i] * n + i];
      own[i] = mine;
      mine = -std::numeric_limits<float>::infinity();
    }
    xy = load(own);
  }
  Running<V> total;
  auto weigh = [&](int64_t k, V v) {
    store(e + k * n, v);
    total.recent += v;
    if (k % 32 == 31) total.move();
  };
  if (few) {
    M class_k{};
    for (int64_t k = 0; k < K; k++, class_k += 1) {
      const V x = load(e + k * n);
      const M eq = class_k == it.y;
      xy = select(eq, x, xy);
      weigh(k, select(eq, V{}, exponential(x - m)));
    }
  } else
    for (int64_t k = 0; k < K; k++) weigh(k, exponential(load(e + k * n) - m));
  const V rest = total.value();
  it.ey = exponential(xy - m);
  it.Z = rest + it.ey;
  it.iZ = 1 / it.Z;

  const float ce = asks<Terms>(job, CROSS_ENTROPY) ? float(factor[CROSS_ENTROPY]) : 0;
  if (asks<Terms>(job, CROSS_ENTROPY)) {
    V far = logarithm(it.Z) + (m - xy);
    V near = log_of_one_and(rest);
    it.loss += ce * select(it.Z == it.Z, select(xy == m, near, far), it.Z);
  }
  const bool powers = job.power != 1 && job.power != 2;
  // Half of the mass; for sums over few classes, which have less to lose, some more.
  constexpr bool sums = (Terms | 1 << CROSS_ENTROPY) == (1 << SQUARED_EMD | 1 << CROSS_ENTROPY);
  const M sure = (it.Z < all(sums && few ? 1.6f : 2.f)) & (it.ey < all(1.f));
  M hard{};
  if (asks<Terms>(job, TREE) || (asks<Terms>(job, WASSERSTEIN) && powers)) hard = sure;
  else if (asks<Terms>(job, WASSERSTEIN) || asks<Terms>(job, SQUARED_EMD) || asks<Terms>(job, CRPS)) {
    it.sure = sure;
    it.find_modes();
  }
  if (asks<Terms>(job, SQUARED_EMD)) it.squared_emd(float(factor[SQUARED_EMD]), rest);
  if (asks<Terms>(job, TREE)) it.tree(float(factor[TREE]), rank, leaf);
  if (asks<Terms>(job, WASSERSTEIN)) it.wasserstein(float(factor[WASSERSTEIN]));
  if (asks<Terms>(job, CRPS) || asks<Terms>(job, CUMULATIVE))
    for (int i = 0; i < n; i++) e[truth[i] * n + i] = it.ey[i];
  if (asks<Terms>(job, CRPS)) it.crps(float(factor[CRPS]), load(bin), load(share), load(outside));
  if (asks<Terms>(job, CUMULATIVE)) hard |= it.cumulative(float(factor[CUMULATIVE]));

  if (job.loss) {
    V value = select(known, it.loss, all(std::numeric_limits<float>::quiet_NaN()));
    float* to = (float*)job.loss + first;
    if (count == n) store(to, value);
    else store_some(to, value, count);
  }
  if (job.gradient) {
    const V sizes = scales ? load(size) : all(float(job.scale));
    const bool far = asks<Terms>(job, WASSERSTEIN) && it.far != 0;
    const V times = it.fresh ? V{} : it.times * it.iZ, away = it.far * it.iZ;
    const V shift = (ce - it.mu) * it.iZ;
    auto slope = [&](int64_t k) {
      V v = it.fresh ? shift : (load(it.h + k * n) + it.offset_at(k)) * times + shift;
      if (far) v += it.power_of(it.distance(k)) * away;
      return load(e + k * n) * v * sizes;
    };
    T* g = gradient_of<T>(job, first);
    const int64_t g_row = beside ? 1 : job.gradient_outer;
    if (beside && count == n)
      for (int64_t k = 0; k < K; k++) store(g + k * job.gradient_class, slope(k));
    else if (beside)
      for (int64_t k = 0; k < K; k++) store_few(g + k * job.gradient_class, slope(k), count);
    else if (count == n && K >= n)
      for (int64_t k = 0; k < K; k += n) {
        if (k + n > K) k = K - n;
        V v[n];
#pragma GCC unroll 16
        for (int i = 0; i < n; i++) v[i] = slope(k + i);
        turn(v);
#pragma GCC unroll 16
        for (int i = 0; i < n; i++) store(g + i * job.gradient_outer + k, v[i]);
      }
    else
      for (int64_t k = 0; k < K; k += n) {
        if (k + n > K && K >= n) k = K - n;
        V v[n];
#pragma GCC unroll 16
        for (int i = 0; i < n; i++) v[i] = slope(k + i);
        turn(v);
        // Not one loop: a vector with a number found as it runs lies in memory.
        for (int i = 0; i < n; i++) {
          if (i == count) break;
          T* to = g + i * job.gradient_outer + k;
          if (K < n) store_few(to, v[i], K);
          else store(to, v[i]);
        }
      }
    Gathered<float> gy;
    store(gy.numbers, (it.ey * it.iZ * (it.hy - it.mu) - ce * rest * it.iZ) * sizes);
    for (int i = 0; i < count; i++) put(g + i * g_row + truth[i] * job.gradient_class, gy[i]);
    if (any(~known))
      for (int i = 0; i < count; i++)
        for (int64_t k = 0; !known[i] && k < K; k++) put(g + i * g_row + k * job.gradient_class, 0.f);
  }
  if (any(hard))
    for (int i = 0; i < count; i++)
      if (hard[i] && known[i]) row<T, double>(task, first + i, scales ? scales[i] : float(job.scale));
}

}  // namespace OFFBY_LEVEL
