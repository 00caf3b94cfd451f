// Vectors of the width the compiler is told, and the few functions the losses need.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#define OFFBY_INLINE static inline __attribute__((always_inline))

namespace OFFBY_LEVEL {

typedef float f32v __attribute__((vector_size(OFFBY_BYTES)));
typedef double f64v __attribute__((vector_size(OFFBY_BYTES)));
typedef int32_t i32v __attribute__((vector_size(OFFBY_BYTES)));
typedef uint32_t u32v __attribute__((vector_size(OFFBY_BYTES)));
typedef int64_t i64v __attribute__((vector_size(OFFBY_BYTES)));
typedef uint16_t u16v __attribute__((vector_size(OFFBY_BYTES / 2)));

template <class C> struct Kind;
template <> struct Kind<float> { using vec = f32v; using mask = i32v; using integer = int32_t; };
template <> struct Kind<double> { using vec = f64v; using mask = i64v; using integer = int64_t; };
template <class C> using vec = typename Kind<C>::vec;
template <class C> using mask = typename Kind<C>::mask;
template <class C> constexpr int lanes = OFFBY_BYTES / int(sizeof(C));

struct bfloat16 { uint16_t bits; };

OFFBY_INLINE f32v all(float a) { return a - f32v{}; }
OFFBY_INLINE f64v all(double a) { return a - f64v{}; }
OFFBY_INLINE i32v all(int32_t a) { return a - i32v{}; }
OFFBY_INLINE i64v all(int64_t a) { return a - i64v{}; }

template <class C> OFFBY_INLINE mask<C> counting() {
  mask<C> r;
  for (int i = 0; i < lanes<C>; i++) r[i] = i;
  return r;
}
// Lanes below n.
template <class C> OFFBY_INLINE mask<C> below(int64_t n) {
  return counting<C>() < all(typename Kind<C>::integer(n));
}

// Not memcpy: GCC 12 makes two 16-byte moves of a 32-byte one, and the load after it then
// misses the store it could forward from.
typedef float f32u __attribute__((vector_size(OFFBY_BYTES), aligned(4), may_alias));
typedef double f64u __attribute__((vector_size(OFFBY_BYTES), aligned(8), may_alias));
typedef uint16_t u16u __attribute__((vector_size(OFFBY_BYTES / 2), aligned(2), may_alias));
OFFBY_INLINE f32v load(const float* p) { return (f32v) * (const f32u*)p; }
OFFBY_INLINE f64v load(const double* p) { return (f64v) * (const f64u*)p; }
OFFBY_INLINE f32v load(const bfloat16* p) {
  u16v h = (u16v) * (const u16u*)p;
  return (f32v)(__builtin_convertvector(h, u32v) << 16);
}
OFFBY_INLINE void store(float* p, f32v v) { *(f32u*)p = (f32u)v; }
OFFBY_INLINE void store(double* p, f64v v) { *(f64u*)p = (f64u)v; }
OFFBY_INLINE void store(bfloat16* p, f32v v) {
  u32v u = (u32v)v;
  u32v even = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;  // to the nearest, ties to even
  u32v r = v == v ? even : (u >> 16) | 0x40u;          // a NaN stays one
  *(u16u*)p = (u16u)__builtin_convertvector(r, u16v);
}

OFFBY_INLINE bool any(i32v m) {
  int32_t found = 0;
  for (int i = 0; i < lanes<float>; i++) found |= m[i];
  return found != 0;
}

// Up to a vector of numbers; the lanes beyond them hold `other`, or are not written.
OFFBY_INLINE f32v load_some(const float* p, int64_t count, float other) {
#if defined(__AVX512F__)
  return (f32v)_mm512_mask_loadu_ps((__m512)all(other), __mmask16((1u << count) - 1), p);
#elif defined(__AVX2__)
  i32v here = below<float>(count);
  return here ? (f32v)_mm256_maskload_ps(p, (__m256i)here) : all(other);
#else
  f32v v = all(other);
  for (int64_t k = 0; k < count; k++) v[k] = p[k];
  return v;
#endif
}
OFFBY_INLINE void store_some(float* p, f32v v, int64_t count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, __mmask16((1u << count) - 1), (__m512)v);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, (__m256i)below<float>(count), (__m256)v);
#else
  for (int64_t k = 0; k < count; k++) p[k] = v[k];
#endif
}

OFFBY_INLINE float number(float x) { return x; }
OFFBY_INLINE double number(double x) { return x; }
OFFBY_INLINE float number(bfloat16 x) {
  uint32_t u = uint32_t(x.bits) << 16;
  float f;
  memcpy(&f, &u, 4);
  return f;
}
OFFBY_INLINE void put(float* p, double x) { *p = float(x); }
OFFBY_INLINE void put(float* p, float x) { *p = x; }
OFFBY_INLINE void put(double* p, double x) { *p = x; }
OFFBY_INLINE void put(bfloat16* p, float x) {
  uint32_t u;
  memcpy(&u, &x, 4);
  p->bits = uint16_t(x == x ? (u + 0x7fffu + ((u >> 16) & 1u)) >> 16 : (u >> 16) | 0x40u);
}
OFFBY_INLINE void put(bfloat16* p, double x) { put(p, float(x)); }

template <class M, class V> OFFBY_INLINE V select(M m, V a, V b) { return m ? a : b; }
// The greater; of a NaN and a number the second.
template <class V> OFFBY_INLINE V greater(V a, V b) { return select(a > b, a, b); }
template <class V> OFFBY_INLINE V lesser(V a, V b) { return select(a < b, a, b); }
// One instruction that compilers do not find by themselves.
#if defined(__AVX512F__)
OFFBY_INLINE f32v greater(f32v a, f32v b) { return (f32v)_mm512_max_ps((__m512)a, (__m512)b); }
#elif defined(__AVX2__)
OFFBY_INLINE f32v greater(f32v a, f32v b) { return (f32v)_mm256_max_ps((__m256)a, (__m256)b); }
#endif
OFFBY_INLINE f32v magnitude(f32v v) { return (f32v)((i32v)v & 0x7fffffff); }
OFFBY_INLINE f64v magnitude(f64v v) { return (f64v)((i64v)v & 0x7fffffffffffffff); }

template <class V> OFFBY_INLINE auto sum(V v) {
  constexpr int n = sizeof(V) / sizeof(v[0]);
  std::remove_reference_t<decltype(v[0])> t[n];
  store(t, v);
  for (int s = n / 2; s > 0; s /= 2)
    for (int i = 0; i < s; i++) t[i] += t[i + s];
  return t[0];
}
template <class V> OFFBY_INLINE auto largest(V v) {
  constexpr int n = sizeof(V) / sizeof(v[0]);
  auto m = v[0];
  for (int i = 1; i < n; i++) m = v[i] > m ? v[i] : m;
  return m;
}
#if defined(__AVX512F__)
OFFBY_INLINE float sum(f32v v) { return _mm512_reduce_add_ps((__m512)v); }
OFFBY_INLINE float largest(f32v v) { return _mm512_reduce_max_ps((__m512)v); }
#endif
template <class V> OFFBY_INLINE auto least(V v) { return -largest(-v); }

template <int S, class V, int... I>
OFFBY_INLINE V moved_up(V v, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(V{}, v, (I + int(sizeof...(I)) - S)...);
}
template <int S, class V, int... I>
OFFBY_INLINE V moved_down(V v, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(v, V{}, (I + S)...);
}
template <int L, class V, int... I> OFFBY_INLINE V only(V v, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(v, v, (I * 0 + L)...);
}
template <class V> constexpr int count_of = sizeof(V) / sizeof(std::declval<V>()[0]);
template <class V> OFFBY_INLINE V first_of(V v) {
  return only<0>(v, std::make_integer_sequence<int, count_of<V>>{});
}
template <class V> OFFBY_INLINE V last_of(V v) {
  return only<count_of<V> - 1>(v, std::make_integer_sequence<int, count_of<V>>{});
}
template <class V> OFFBY_INLINE V moved_up(V v) {
  return moved_up<1>(v, std::make_integer_sequence<int, count_of<V>>{});
}
// Lane i: the sum of lanes 0 to i.
template <class V> OFFBY_INLINE V summed(V v) {
  constexpr int n = count_of<V>;
  constexpr auto lane = std::make_integer_sequence<int, n>{};
  v += moved_up<1>(v, lane);
  if constexpr (n > 2) v += moved_up<2>(v, lane);
  if constexpr (n > 4) v += moved_up<4>(v, lane);
  if constexpr (n > 8) v += moved_up<8>(v, lane);
  return v;
}
// Lane i: the sum of lanes i to the last.
template <class V> OFFBY_INLINE V summed_back(V v) {
  constexpr int n = count_of<V>;
  constexpr auto lane = std::make_integer_sequence<int, n>{};
  v += moved_down<1>(v, lane);
  if constexpr (n > 2) v += moved_down<2>(v, lane);
  if constexpr (n > 4) v += moved_down<4>(v, lane);
  if constexpr (n > 8) v += moved_down<8>(v, lane);
  return v;
}

// A sum of many vectors in two steps: its rounding errors are those of a few.
template <class V> struct Running {
  V moved{}, recent{};
  V value() const { return moved + recent; }
  void move() {
    moved += recent;
    recent = V{};
  }
};

// e^x for x <= 0, to two units in the last place; 1 at 0; 0 below -87.7; NaN for NaN.
OFFBY_INLINE f32v exponential(f32v x) {
  x = greater(all(-88.f), x);  // in this order a NaN stays one
  f32v t = x * 1.44269504088896341f + 12583039.f;  // the sum rounds to an integer
  f32v n = t - 12583039.f;
#if defined(__FMA__) || defined(__aarch64__)
  f32v r = x - n * 0.693147180559945f;
#else
  f32v r = x - n * 0.693145751953125f;  // the product is exact
  r = r - n * 1.42860682030941723212e-6f;
#endif
  // Of all such polynomials the nearest, 1.05e-7 off at most.
  f32v p = all(8.3125209e-3f);
  p = p * r + 4.1890159e-2f;
  p = p * r + 1.6667115e-1f;
  p = p * r + 4.9999231e-1f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // t holds n + 127 in its low bits; n = -127 makes the power of two a zero.
  return p * (f32v)((u32v)t << 23);
}
OFFBY_INLINE f64v exponential(f64v x) {
  x = select(x < all(-709.), all(-709.), x);
  f64v t = x * 1.4426950408889634074 + 6755399441055744.;
  f64v n = t - 6755399441055744.;
  f64v r = x - n * 6.93147180369123816490e-01;
  r = r - n * 1.90821492927058770002e-10;
  f64v p = all(1. / 6227020800.);
  p = p * r + 1. / 479001600.;
  p = p * r + 1. / 39916800.;
  p = p * r + 1. / 3628800.;
  p = p * r + 1. / 362880.;
  p = p * r + 1. / 40320.;
  p = p * r + 1. / 5040.;
  p = p * r + 1. / 720.;
  p = p * r + 1. / 120.;
  p = p * r + 1. / 24.;
  p = p * r + 1. / 6.;
  p = p * r + .5;
  p = p * (r * r) + r + 1.;
  f64v power = (f64v)(((i64v)t + 1023) << 52);
  // -709 stands for all below it, and for e^-inf.
  return select(x <= all(-709.), f64v{}, p * power);
}
template <class C> OFFBY_INLINE C exponential_of(C x) {
  return exponential(all(x))[0];
}

// log x of a positive, normal x.
OFFBY_INLINE f32v logarithm(f32v x) {
  i32v bits = (i32v)x;
  i32v up = (bits - 0x3f3504f3) >> 23;  // the exponent that leaves 0.707 <= m < 1.414
  f32v m = (f32v)(bits - (up << 23)) - 1.0f;
  f32v n = __builtin_convertvector(up, f32v);
  f32v p = all(7.0376836292e-2f);
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  f32v s = m * m;
  f32v r = p * m * s + n * -2.12194440e-4f - 0.5f * s;
  return (m + r) + n * 0.693359375f;
}
OFFBY_INLINE f64v logarithm(f64v x) {
  for (int i = 0; i < lanes<double>; i++) x[i] = std::log(x[i]);
  return x;
}
// a / b for a normal b, sooner than by a division; NaN where b is 0.
template <class V> OFFBY_INLINE V quotient(V a, V b) { return a / b; }
#if defined(__AVX2__)
OFFBY_INLINE f32v quotient(f32v a, f32v b) {
#if defined(__AVX512F__)
  f32v r = (f32v)_mm512_rcp14_ps((__m512)b);
#else
  f32v r = (f32v)_mm256_rcp_ps((__m256)b);
#endif
  f32v q = a * r;  // to three digits
  return q + r * (a - b * q);
}
#endif
// log(1 + x) for x >= 0, also where 1 + x rounds to 1.
OFFBY_INLINE f32v log_of_one_and(f32v x) {
  f32v u = 1.0f + x;
  // What the sum lost is to be divided by u, but where u is not near 1 it matters no more.
  return logarithm(u) + select(u >= all(4.f), f32v{}, x - (u - 1.0f));
}

// The sum of log(1 + x) over many x, four at a time: the logarithm of a product. Infinite or
// NaN if that is too large.
struct Logs {
  f32v total{}, product{};  // the latter less 1
  int held = 0;
  void add(f32v x) {
    product += x + product * x;
    if (++held == 4) move();
  }
  void move() {
    total += select(product < all(std::numeric_limits<float>::infinity()), log_of_one_and(product),
                    all(std::numeric_limits<float>::quiet_NaN()));
    product = f32v{};
    held = 0;
  }
};

// Distance to the power p.
template <class V> OFFBY_INLINE V raised(V c, double p) {
  if (p == 1) return c;
  if (p == 2) return c * c;
  using C = std::remove_reference_t<decltype(c[0])>;
  V zero{};
  V x = logarithm(select(c > zero, c, zero + C(1))) * C(p);
  V power;
  for (size_t i = 0; i < sizeof(V) / sizeof(C); i++) power[i] = std::exp(x[i]);
  return select(c > zero, power, zero);
}

// 64-byte blocks of memory that a thread keeps from one call to the next.
struct Memory {
  void* block = nullptr;
  size_t size = 0;
  ~Memory() { free(block); }
  void* of(size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    if (bytes > size) {
      free(block);
      block = aligned_alloc(64, bytes);
      size = block ? bytes : 0;
    }
    return block;
  }
};

}  // namespace OFFBY_LEVEL
