// As many rows at once as a vector has lanes: lanes are rows, loops run over the classes.
// For few classes, and for classes that do not lie side by side (images). float32 inside.
// The formulas are those of row.hpp; sums along a row need no shuffles here.
#pragma once
#include "row.hpp"

namespace OFFBY_LEVEL {

typedef f32v V;
typedef i32v M;
constexpr int n = lanes<float>;

// As many rows as a row has numbers here, turned into columns. In registers.
#if defined(__AVX512F__)
OFFBY_INLINE void turn(V (&v)[n]) {
  __m512 r[16], s[16];
  for (int i = 0; i < 16; i++) r[i] = (__m512)v[i];
  for (int i = 0; i < 8; i++) {
    s[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    s[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++) {
    __m512d p = _mm512_castps_pd(s[4 * i]), q = _mm512_castps_pd(s[4 * i + 2]);
    __m512d u = _mm512_castps_pd(s[4 * i + 1]), w = _mm512_castps_pd(s[4 * i + 3]);
    r[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(p, q));
    r[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p, q));
    r[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(u, w));
    r[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(u, w));
  }
  for (int j = 0; j < 4; j++) {
    s[j] = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88);
    s[4 + j] = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd);
    s[8 + j] = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
    s[12 + j] = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
  }
  for (int j = 0; j < 4; j++) {
    v[j] = (V)_mm512_shuffle_f32x4(s[j], s[8 + j], 0x88);
    v[8 + j] = (V)_mm512_shuffle_f32x4(s[j], s[8 + j], 0xdd);
    v[4 + j] = (V)_mm512_shuffle_f32x4(s[4 + j], s[12 + j], 0x88);
    v[12 + j] = (V)_mm512_shuffle_f32x4(s[4 + j], s[12 + j], 0xdd);
  }
}
#elif defined(__AVX2__)
OFFBY_INLINE void turn(V (&v)[n]) {
  __m256 r[8], s[8];
  for (int i = 0; i < 8; i++) r[i] = (__m256)v[i];
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
    v[j] = (V)_mm256_permute2f128_ps(r[j], r[4 + j], 0x20);
    v[4 + j] = (V)_mm256_permute2f128_ps(r[j], r[4 + j], 0x31);
  }
}
#else
OFFBY_INLINE void turn(V (&v)[n]) {
  V r[n];
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++) r[k][i] = v[i][k];
  for (int i = 0; i < n; i++) v[i] = r[i];
}
#endif

// A few numbers, at most a vector of them.
OFFBY_INLINE V load_few(const float* from, int64_t count) { return load_some(from, count, 0); }
OFFBY_INLINE void store_few(float* to, V v, int64_t count) { store_some(to, v, count); }
OFFBY_INLINE V load_few(const bfloat16* from, int64_t count) {
  alignas(64) float wide[n] = {};
  for (int64_t k = 0; k < count; k++) wide[k] = number(from[k]);
  return load(wide);
}
OFFBY_INLINE void store_few(bfloat16* to, V v, int64_t count) {
  alignas(64) float wide[n];
  store(wide, v);
  for (int64_t k = 0; k < count; k++) put(to + k, wide[k]);
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

// Numbers of the rows of a unit, gathered one by one: in memory, for a vector in a
// register would go there and back for each.
template <class C> struct Gathered {
  alignas(64) C numbers[n] = {};
  C& operator[](int i) { return numbers[i]; }
};
OFFBY_INLINE V load(const Gathered<float>& from) { return load(from.numbers); }
OFFBY_INLINE M load(const Gathered<int32_t>& from) {
  M v;
  memcpy(&v, from.numbers, sizeof(v));
  return v;
}

// What the terms of a block have in common. Arrays hold K vectors.
struct Block {
  const Job& job;
  const Ground<float>& ground;
  const Forest& forest;
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
    V at_truth{}, minus_right = -right_of_truth;
    for (int64_t k = 0; k < K; k++) {
      M eq = true_class(k);
      // Mass up to here; from the truth on minus what is left of the mass right of it: an
      // error of rounding is small beside the first of these tails, which weighs in every
      // slope on that side.
      F.recent = select(eq, V{}, F.recent + load(e + k * n));
      F.moved = select(eq, minus_right, F.moved);
      V mass = F.value(), before = B.value();
      store(h + k * n, before);
      at_truth = select(eq, before, at_truth);
      V f = ground.gap[k] * mass;
      squares.recent += f * mass;
      B.recent += f;
      if (k % 32 == 31) F.move(), B.move(), squares.move();
    }
    // Rising to the truth, falling from it: the slopes upside down, but for the constant.
    offset = -at_truth;
    times = -2 * factor * iZ;
    fresh = false;
    V value = squares.value() * iZ * iZ;
    loss += factor * value;
    mu += 2 * factor * value;
  }

  // As in row.hpp.
  void tree(float factor, const Gathered<int32_t>& rank, const Gathered<int32_t>& leaf) {
    const Forest& in = forest;
    const int64_t nodes = in.nodes;
    const M there = load(rank);
    thread_local Memory memory;
    float* far = (float*)memory.of(3 * nodes * n * sizeof(float));
    float *mass = far + nodes * n, *slope = mass + nodes * n;
    auto on_way = [&](int64_t i) { return (all(in.start[i]) <= there) & (there < all(in.end[i])); };
    auto add = [](float* to, V v) { store(to, load(to) + v); };
    settle();
    for (int64_t i = 0; i < nodes; i++) store(far + i * n, V{});
    for (int64_t k = 0; k < K; k++) add(far + in.leaf[k] * n, load(e + k * n));
    for (int64_t i = nodes - 1; i > 0; i--)
      add(far + in.parent[i] * n, select(on_way(i), V{}, load(far + i * n)));
    Running squares, mean;
    store(mass, V{});
    store(slope, V{});
    for (int64_t i = 1; i < nodes; i++) {
      const int64_t up = in.parent[i] * n;
      M way = on_way(i);
      V m = select(way, load(mass + up) + load(far + up), load(far + i * n));
      V f = float(in.weight[i]) * m;
      store(mass + i * n, m);
      squares.recent += f * m;
      store(slope + i * n, load(slope + up) + select(way, -f, f));
      if (i % 32 == 0) squares.move();
    }
    Gathered<float> found;
    for (int i = 0; i < n; i++) found[i] = slope[leaf.numbers[i] * n + i];
    V at_truth = load(found), origin = select(2 * ey > Z, at_truth, V{}), c = 2 * factor * iZ;
    for (int64_t k = 0; k < K; k++) {
      V v = load(slope + in.leaf[k] * n) - origin;
      mean.recent += load(e + k * n) * v;
      store(h + k * n, slopes(k) + c * v);
      if (k % 32 == 31) mean.move();
    }
    hy += c * (at_truth - origin);
    fresh = false;
    loss += factor * squares.value() * iZ * iZ;
    mu += c * iZ * (mean.value() + ey * (at_truth - origin));
  }

  void wasserstein(float factor) {
    Running total;
    settle();
    double p = job.power;
    for (int64_t k = 0; k < K; k++) {
      V c = raised(distance(k), p);
      total.recent += load(e + k * n) * c;
      store(h + k * n, slopes(k) + factor * c);
      if (k % 32 == 31) total.move();
    }
    fresh = false;
    V value = total.value() * iZ;
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
  const bool beside = job.inner > 1 || job.logits_class != 1;  // rows lie side by side
  const T* x = logits_of<T>(job, first);
  const int64_t x_row = beside ? 1 : job.logits_outer;
  thread_local Memory memory;
  float* e = (float*)memory.of((3 * (K + 16) * n + n) * sizeof(float));
  Block it{job, task.single, task.forest, K, M{}, e, e + (K + 16) * n, e + 2 * (K + 16) * n, V{}, V{}, V{}, V{}, V{}};

  Gathered<int32_t> truth, known, bin, rank, leaf;
  Gathered<float> share, outside, size, place, crumb, own;
  for (int i = 0; i < count; i++) {
    known[i] = -1;
    if (factor[CRPS] != 0) {
      double value = job.value[first + i];
      if (std::isnan(value)) known[i] = 0;
      Cut cut = cut_at(job.edges, K, std::isnan(value) ? job.edges[0] : value);
      bin[i] = int32_t(cut.bin);
      share[i] = float(cut.share);
      outside[i] = float(cut.outside);
    }
    int64_t y = job.index ? job.index[first + i] : bin[i];
    if (y < 0 || y >= K) known[i] = 0, y = 0;
    truth[i] = int32_t(y);
    if (factor[TREE] != 0) rank[i] = task.forest.rank[y], leaf[i] = task.forest.leaf[y];
    size[i] = scales ? scales[i] : float(job.scale);
    place[i] = task.single.place[y];
    crumb[i] = task.single.crumb[y];
    own[i] = number(x[i * x_row + y * job.logits_class]);
  }
  it.y = load(truth);
  it.place = load(place);
  it.crumb = load(crumb);

  V m = all(-std::numeric_limits<float>::infinity());
  auto take = [&](int64_t k, V v) {
    store(e + k * n, v);
    m = greater(v, m);
  };
  if (beside && count == n)
    for (int64_t k = 0; k < K; k++) take(k, load(x + k * job.logits_class));
  else if (beside)
    for (int64_t k = 0; k < K; k++) take(k, load_few(x + k * job.logits_class, count));
  else
    for (int64_t k = 0; k < K; k += n) {
      // The last columns once more, together with those before them, or fewer.
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

  Running total, upper;
  const bool halves = factor[SQUARED_EMD] != 0;
  for (int64_t k = 0; k < K; k++) {
    V v = exponential(load(e + k * n) - m);
    v = select(it.true_class(k), V{}, v);
    store(e + k * n, v);
    total.recent += v;
    if (halves) upper.recent += select(it.left_of_truth(k), V{}, v);
    if (k % 32 == 31) total.move(), upper.move();
  }
  const V rest = total.value(), right = upper.value(), xy = load(own);
  it.ey = exponential(xy - m);
  it.Z = rest + it.ey;
  it.iZ = 1 / it.Z;

  const float ce = float(factor[CROSS_ENTROPY]);
  const bool sloped = factor[WASSERSTEIN] != 0 || factor[SQUARED_EMD] != 0 ||
                      factor[CRPS] != 0 || factor[TREE] != 0;
  M hard{};
  if (sloped) hard = (it.Z < all(2.f)) & (it.ey < all(1.f));
  if (ce != 0) {
    V far = logarithm(it.Z) + (m - xy);
    V near = log_of_one_and(rest);
    it.loss += ce * select(it.Z == it.Z, select(xy == m, near, far), it.Z);
  }
  if (factor[SQUARED_EMD] != 0) it.squared_emd(float(factor[SQUARED_EMD]), right);
  if (factor[TREE] != 0) it.tree(float(factor[TREE]), rank, leaf);
  if (factor[WASSERSTEIN] != 0) it.wasserstein(float(factor[WASSERSTEIN]));
  if (factor[CRPS] != 0) it.crps(float(factor[CRPS]), load(bin), load(share), load(outside));
  if (factor[CUMULATIVE] != 0) hard |= it.cumulative(float(factor[CUMULATIVE]));

  if (job.loss) {
    V value = select(load(known), it.loss, all(std::numeric_limits<float>::quiet_NaN()));
    store_some((float*)job.loss + first, value, count);
  }
  if (job.gradient) {
    const V times = it.fresh ? V{} : it.times * it.iZ, sizes = load(size);
    const V shift = times * it.offset - (it.mu - ce) * it.iZ;
    auto slope = [&](int64_t k) {
      V v = it.fresh ? shift : load(it.h + k * n) * times + shift;
      return load(e + k * n) * v * sizes;
    };
    T* g = gradient_of<T>(job, first);
    const int64_t g_row = beside ? 1 : job.gradient_outer;
    if (beside && count == n)
      for (int64_t k = 0; k < K; k++) store(g + k * job.gradient_class, slope(k));
    else if (beside)
      for (int64_t k = 0; k < K; k++) store_few(g + k * job.gradient_class, slope(k), count);
    else
      for (int64_t k = 0; k < K; k += n) {
        if (k + n > K && K >= n) k = K - n;
        V v[n];
        for (int i = 0; i < n; i++) v[i] = slope(k + i);
        turn(v);
        for (int i = 0; i < n; i++)
          if (i < count) {
            T* to = g + i * job.gradient_outer + k;
            if (K < n) store_few(to, v[i], K);
            else store(to, v[i]);
          }
      }
    Gathered<float> gy;
    store(gy.numbers, (it.ey * it.iZ * (it.hy - it.mu) - ce * rest * it.iZ) * sizes);
    for (int i = 0; i < count; i++) {
      T* to = g + i * g_row;
      if (known[i]) put(to + truth[i] * job.gradient_class, gy[i]);
      else for (int64_t k = 0; k < K; k++) put(to + k * job.gradient_class, 0.f);
    }
  }
  if (any(hard))
    for (int i = 0; i < count; i++)
      if (hard[i] && known[i]) row<T, double>(task, first + i, size[i]);
}

}  // namespace OFFBY_LEVEL
