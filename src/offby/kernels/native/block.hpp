// As many rows at once as a vector has lanes: lanes are rows, loops run over the classes.
// For few classes, and for classes that do not lie side by side (images). float32 inside.
// The formulas are those of row.hpp; sums along a row need no shuffles here.
#pragma once
#include "row.hpp"

namespace OFFBY_LEVEL {

typedef f32v V;
typedef i32v M;
constexpr int n = lanes<float>;

#if defined(__AVX512F__)
// 16 rows of 16 numbers, turned into 16 columns.
OFFBY_INLINE void turn(const float* const* rows, float* columns) {
  __m512 r[16], s[16];
  for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(rows[i]);
  for (int i = 0; i < 8; i++) {
    s[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    s[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++) {
    __m512d p = _mm512_castps_pd(s[4 * i]), q = _mm512_castps_pd(s[4 * i + 2]);
    __m512d u = _mm512_castps_pd(s[4 * i + 1]), v = _mm512_castps_pd(s[4 * i + 3]);
    r[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(p, q));
    r[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p, q));
    r[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(u, v));
    r[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(u, v));
  }
  for (int j = 0; j < 4; j++) {
    s[j] = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88);
    s[4 + j] = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd);
    s[8 + j] = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
    s[12 + j] = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
  }
  for (int j = 0; j < 4; j++) {
    _mm512_storeu_ps(columns + j * 16, _mm512_shuffle_f32x4(s[j], s[8 + j], 0x88));
    _mm512_storeu_ps(columns + (8 + j) * 16, _mm512_shuffle_f32x4(s[j], s[8 + j], 0xdd));
    _mm512_storeu_ps(columns + (4 + j) * 16, _mm512_shuffle_f32x4(s[4 + j], s[12 + j], 0x88));
    _mm512_storeu_ps(columns + (12 + j) * 16, _mm512_shuffle_f32x4(s[4 + j], s[12 + j], 0xdd));
  }
}
#elif defined(__AVX2__)
// 8 rows of 8 numbers, turned into 8 columns.
OFFBY_INLINE void turn(const float* const* rows, float* columns) {
  __m256 r[8], s[8];
  for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(rows[i]);
  for (int i = 0; i < 4; i++) {
    s[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    s[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; i++) {
    r[4 * i] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(s[4 * i], s[4 * i + 2], 0xee);
    r[4 * i + 2] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(s[4 * i + 1], s[4 * i + 3], 0xee);
  }
  for (int j = 0; j < 4; j++) {
    _mm256_storeu_ps(columns + j * 8, _mm256_permute2f128_ps(r[j], r[4 + j], 0x20));
    _mm256_storeu_ps(columns + (4 + j) * 8, _mm256_permute2f128_ps(r[j], r[4 + j], 0x31));
  }
}
#else
OFFBY_INLINE void turn(const float* const* rows, float* columns) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++) columns[k * n + i] = rows[i][k];
}
#endif

// A few numbers, at most a vector of them.
OFFBY_INLINE void widen(const float* from, float* to, int64_t width) {
  store(to, load_some(from, width, 0));
}
OFFBY_INLINE void narrow(const float* from, float* to, int64_t width) {
  store_some(to, load(from), width);
}
OFFBY_INLINE void widen(const bfloat16* from, float* to, int64_t width) {
  if (width == n) return store(to, load(from));
  for (int64_t k = 0; k < width; k++) to[k] = number(from[k]);
}
OFFBY_INLINE void narrow(const float* from, bfloat16* to, int64_t width) {
  for (int64_t k = 0; k < width; k++) put(to + k, from[k]);
}

// A sum of many numbers in two steps: its rounding errors are those of a few.
struct Running {
  V moved{}, recent{};
  V value() const { return moved + recent; }
  void move() {
    moved += recent;
    recent = V{};
  }
};

// What the terms of a block have in common. Arrays hold K vectors.
struct Block {
  const Job& job;
  const Ground<float>& ground;
  int64_t K;
  M y;
  float *e, *h, *a;
  V ey, Z, iZ, place, crumb;
  V hy{}, mu{}, loss{};
  bool fresh = true;

  // What is in h is to be added to `offset` and multiplied by `times`.
  V offset{}, times = all(1.f);
  M true_class(int64_t k) const { return all(int32_t(k)) == y; }
  M left_of_truth(int64_t k) const { return all(int32_t(k)) < y; }
  // Masses are stored without the true class.
  V mass(int64_t k) const { return select(true_class(k), ey, load(e + k * n)); }
  V slopes(int64_t k) const { return fresh ? V{} : times * (offset + load(h + k * n)); }
  void settle() {
    if (fresh) return;
    for (int64_t k = 0; k < K; k++) store(h + k * n, slopes(k));
    offset = V{};
    times = all(1.f);
  }
  V distance(int64_t k) const {
    return magnitude((ground.place[k] - place) + (ground.crumb[k] - crumb));
  }

  void squared_emd(float factor, V right_of_truth) {
    Running F, B, squares;
    V at_truth{};
    for (int64_t k = 0; k < K; k++) {
      V m = load(e + k * n);
      M lt = left_of_truth(k), eq = true_class(k);
      // What is left of the mass right of the truth: an error of rounding is small beside
      // the first of these tails, which weighs in every slope on that side.
      F.recent = select(eq, V{}, F.recent + select(lt, m, -m));
      F.moved = select(eq, right_of_truth, F.moved);
      V mass = greater(F.value(), V{}), before = B.value();
      store(h + k * n, before);
      at_truth = select(eq, before, at_truth);
      V f = ground.gap[k] * mass;
      squares.recent += f * mass;
      B.recent += select(lt, -f, f);
      if (k % 32 == 31) F.move(), B.move(), squares.move();
    }
    // Falling to the truth, rising from it: the slopes, but for the constant.
    offset = -at_truth;
    times = 2 * factor * iZ;
    fresh = false;
    V value = squares.value() * iZ * iZ;
    loss += factor * value;
    mu += 2 * factor * value;
  }

  void wasserstein(float factor) {
    V total{};
    settle();
    double p = job.power;
    for (int64_t k = 0; k < K; k++) {
      V c = raised(distance(k), p);
      total += load(e + k * n) * c;
      store(h + k * n, slopes(k) + factor * c);
    }
    fresh = false;
    V value = total * iZ;
    loss += factor * value;
    mu += factor * value;
  }

  void crps(float factor, M t, V share, V outside) {
    V F{}, sums{}, squares{}, mass_below{}, mass_above{}, et{}, wt{};
    settle();
    for (int64_t k = 0; k < K; k++) {
      V m = mass(k), w = all(ground.width[k]);
      M here = all(int32_t(k)) == t, lower = all(int32_t(k)) < t;
      mass_below = select(here, F, mass_below);
      et = select(here, m, et);
      wt = select(here, w, wt);
      V outer = F;
      F += m;
      w = select(lower, w, V{});
      squares += w * (outer * outer + outer * F + F * F);
      sums += w * (outer + F);
      store(a + k * n, w * (outer + 2 * F) * (1.f / 3) - sums);
    }
    V left = sums;
    F = V{};
    sums = V{};
    for (int64_t k = K - 1; k >= 0; k--) {
      V m = mass(k), w = all(ground.width[k]);
      M here = all(int32_t(k)) == t, higher = all(int32_t(k)) > t;
      mass_above = select(here, F, mass_above);
      V outer = F;
      F += m;
      w = select(higher, w, V{});
      squares += w * (outer * outer + outer * F + F * F);
      sums += w * (outer + F);
      V other = w * (outer + 2 * F) * (1.f / 3) - sums;
      store(a + k * n, select(higher, other, load(a + k * n)));
    }
    V s = share, l = wt * s, r = wt * (1 - s);
    V lower_end = mass_below + et * s, upper_end = mass_above + et * (1 - s);
    V ht = (l * s * (mass_below + 2 * lower_end) + r * (1 - s) * (mass_above + 2 * upper_end)) *
           (1.f / 3);
    V from_left = left + l * (mass_below + lower_end) - ht;
    V from_right = sums + r * (mass_above + upper_end) - ht;
    V c = factor * iZ, mean{};
    for (int64_t k = 0; k < K; k++) {
      M lower = all(int32_t(k)) < t, here = all(int32_t(k)) == t;
      V v = c * (load(a + k * n) + select(lower, from_left, from_right));
      v = select(here, V{}, v);
      mean += mass(k) * v;
      hy = select(true_class(k), hy + v, hy);
      store(h + k * n, slopes(k) + v);
    }
    fresh = false;
    mu += mean * iZ;
    V whole = squares + l * (mass_below * mass_below + mass_below * lower_end + lower_end * lower_end) +
              r * (mass_above * mass_above + mass_above * upper_end + upper_end * upper_end);
    loss += factor * (whole * iZ * iZ * (1.f / 3) + outside);
  }

  // Lanes whose right side is too light for float32.
  M cumulative(float factor) {
    settle();
    Running P;
    for (int64_t k = 0; k < K; k++) {
      P.recent += mass(k);
      store(a + k * n, P.value());
      if (k % 32 == 31) P.move();
    }
    V total{}, lightest = all(std::numeric_limits<float>::max());
    V left{}, right{};
    Running tail;
    for (int64_t k = K - 2; k >= 0; k--) {
      tail.recent += mass(k + 1);
      M lt = left_of_truth(k);
      V below = load(a + k * n), above = tail.value();
      if (k % 32 == 0) tail.move();
      V wrong = select(lt, below, above), other = select(lt, above, below);
      lightest = lesser(other, lightest);
      V ratio = wrong / other, w = all(ground.gap[k]), v = w * ratio;
      total += w * log_of_one_and(ratio);
      left += select(lt, v, V{});
      right += select(lt, V{}, v);
      store(a + k * n, select(lt, v, right));
    }
    V before{};
    for (int64_t k = 0; k < K; k++) {
      M lt = left_of_truth(k), eq = true_class(k);
      V held = k + 1 < K ? load(a + k * n) : V{};
      V light = select(lt | eq, right + before, left + held);
      before += select(lt, held, V{});
      store(h + k * n, slopes(k) + factor * (distance(k) - light));
    }
    fresh = false;
    hy -= factor * (left + right);
    loss += factor * total;
    return ~(lightest > 1e-25f * Z) & (Z == Z);
  }
};

// One unit of rows: first, first + 1, ... of which `count` exist.
template <class T> static void block(const Task& task, int64_t first, int64_t count, const float* scales) {
  const Job& job = *task.job;
  const int64_t K = job.classes;
  const double* factor = job.factor;
  thread_local Memory memory;
  float* e = (float*)memory.of((3 * (K + 16) * n + n) * sizeof(float));
  Block it{job, task.single, K, M{}, e, e + (K + 16) * n, e + 2 * (K + 16) * n, V{}, V{}, V{}, V{}, V{}};

  M known = below<float>(count), t{};
  V share{}, outside{}, size{};
  for (int i = 0; i < count; i++) {
    if (factor[CRPS] != 0) {
      double value = job.value[first + i];
      if (std::isnan(value)) known[i] = 0;
      Cut cut = cut_at(job.edges, K, std::isnan(value) ? job.edges[0] : value);
      t[i] = int32_t(cut.bin);
      share[i] = float(cut.share);
      outside[i] = float(cut.outside);
    }
    int64_t y = job.index ? job.index[first + i] : t[i];
    if (y < 0 || y >= K) known[i] = 0, y = 0;
    it.y[i] = int32_t(y);
    size[i] = scales ? scales[i] : float(job.scale);
    it.place[i] = task.single.place[y];
    it.crumb[i] = task.single.crumb[y];
  }

  const bool beside = job.inner > 1 || job.logits_class != 1;  // rows lie side by side
  const T* x = logits_of<T>(job, first);
  if (beside && count == n)
    for (int64_t k = 0; k < K; k++) store(e + k * n, load(x + k * job.logits_class));
  else if (beside)
    for (int64_t k = 0; k < K; k++)
      for (int i = 0; i < n; i++)
        e[k * n + i] = i < count ? number(x[k * job.logits_class + i]) : 0.f;
  else {
    alignas(64) float spare[n * n];
    const float* rows[n];
    for (int64_t k = 0; k < K; k += n) {
      // The last columns once more, together with those before them; or, of fewer classes
      // than fill a vector, from a copy.
      if (k + n > K && K >= n) k = K - n;
      const int64_t width = K < n ? K : n;
      const bool direct = sizeof(T) == sizeof(float) && width == n;
      for (int i = 0; i < n; i++) {
        const T* from = x + (i < count ? i : 0) * job.logits_outer + k;
        rows[i] = direct ? (const float*)from : spare + i * n;
        if (!direct) widen(from, spare + i * n, width);
      }
      turn(rows, e + k * n);
    }
  }

  V m = all(-std::numeric_limits<float>::infinity()), xy{};
  for (int64_t k = 0; k < K; k++) m = greater(load(e + k * n), m);
  for (int i = 0; i < n; i++) {
    float* at = e + int64_t(it.y[i]) * n + i;
    xy[i] = *at;
    *at = -INFINITY;
  }
  Running total, upper;
  const bool halves = factor[SQUARED_EMD] != 0;
  for (int64_t k = 0; k < K; k++) {
    V v = exponential(load(e + k * n) - m);
    store(e + k * n, v);
    total.recent += v;
    if (halves) upper.recent += select(all(int32_t(k)) > it.y, v, V{});
    if (k % 32 == 31) total.move(), upper.move();
  }
  V rest = total.value(), right = upper.value();
  it.ey = exponential(xy - m);
  it.Z = rest + it.ey;
  it.iZ = 1 / it.Z;

  const float ce = float(factor[CROSS_ENTROPY]);
  const bool sloped = factor[WASSERSTEIN] != 0 || factor[SQUARED_EMD] != 0 || factor[CRPS] != 0;
  M hard{};
  if (sloped) hard = (it.Z < all(2.f)) & (it.ey < all(1.f));
  if (ce != 0) {
    V far = logarithm(it.Z) + (m - xy);
    V near = log_of_one_and(rest);
    it.loss += ce * select(it.Z == it.Z, select(xy == m, near, far), it.Z);
  }
  if (factor[SQUARED_EMD] != 0) it.squared_emd(float(factor[SQUARED_EMD]), right);
  if (factor[WASSERSTEIN] != 0) it.wasserstein(float(factor[WASSERSTEIN]));
  if (factor[CRPS] != 0) it.crps(float(factor[CRPS]), t, share, outside);
  if (factor[CUMULATIVE] != 0) hard |= it.cumulative(float(factor[CUMULATIVE]));

  if (job.loss) {
    V value = select(known, it.loss, all(std::numeric_limits<float>::quiet_NaN()));
    for (int i = 0; i < count; i++) ((float*)job.loss)[first + i] = value[i];
  }
  if (job.gradient) {
    V gy = (it.ey * it.iZ * (it.hy - it.mu) - ce * rest * it.iZ) * size;
    V times = it.fresh ? V{} : it.times * it.iZ;
    V shift = times * it.offset - (it.mu - ce) * it.iZ;
    if (it.fresh)
      for (int64_t k = 0; k < K; k++) store(e + k * n, load(e + k * n) * shift * size);
    else
      for (int64_t k = 0; k < K; k++)
        store(e + k * n, load(e + k * n) * (load(it.h + k * n) * times + shift) * size);
    for (int i = 0; i < n; i++) {
      if (known[i]) e[int64_t(it.y[i]) * n + i] = gy[i];
      else for (int64_t k = 0; k < K; k++) e[k * n + i] = 0;
    }
    T* g = gradient_of<T>(job, first);
    if (beside && count == n)
      for (int64_t k = 0; k < K; k++) store(g + k * job.gradient_class, load(e + k * n));
    else if (beside)
      for (int64_t k = 0; k < K; k++)
        for (int i = 0; i < count; i++) put(g + k * job.gradient_class + i, e[k * n + i]);
    else {
      alignas(64) float spare[n * n];
      const float* columns[n];
      for (int64_t k = 0; k < K; k += n) {
        if (k + n > K && K >= n) k = K - n;
        const int64_t width = K < n ? K : n;
        for (int i = 0; i < n; i++) columns[i] = e + (k + i) * n;
        turn(columns, spare);
        for (int i = 0; i < count; i++) {
          T* to = g + i * job.gradient_outer + k;
          if (width == n) store(to, load(spare + i * n));
          else narrow(spare + i * n, to, width);
        }
      }
    }
  }
  for (int i = 0; i < count; i++)
    if (hard[i] && known[i]) row<T, double>(task, first + i, size[i]);
}

}  // namespace OFFBY_LEVEL
