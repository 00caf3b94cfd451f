// As many rows as a vector has lanes, turned into columns and back; numbers gathered lane by lane.
#pragma once
#include "vectors.hpp"

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

// Numbers of the rows of a unit, gathered one by one: in memory, for a vector in a
// register would go there and back for each.
template <class C> struct Gathered {
  alignas(64) C numbers[n] = {};
  C& operator[](int i) { return numbers[i]; }
};
OFFBY_INLINE void store(Gathered<int32_t>& to, M v) { store((float*)to.numbers, (V)v); }
OFFBY_INLINE V load(const Gathered<float>& from) { return load(from.numbers); }
OFFBY_INLINE M load(const Gathered<int32_t>& from) {
  M v;
  memcpy(&v, from.numbers, sizeof(v));
  return v;
}

template <int First, int... I>
OFFBY_INLINE M every_other(M a, M b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (2 * I + First)...);
}
// The classes of as many rows as a vector has lanes; 0 where there is no such class. Returns where
// there is.
OFFBY_INLINE M classes_of(const int64_t* index, int64_t K, M& classes) {
  M a, b;
  memcpy(&a, index, sizeof(M));
  memcpy(&b, index + n / 2, sizeof(M));
  const M low = every_other<0>(a, b, std::make_integer_sequence<int, n>{});
  const M high = every_other<1>(a, b, std::make_integer_sequence<int, n>{});
  const M known = (high == 0) & (low >= 0) & (low < all(int32_t(K)));
  classes = low & known;
  return known;
}

}  // namespace OFFBY_LEVEL
