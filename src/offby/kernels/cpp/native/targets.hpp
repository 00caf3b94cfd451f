// Soft targets of numbers, row by row: only the bins that get mass are computed.
// offby/targets/_numbers.py is the specification.
#pragma once
#include <algorithm>

#include "targets_job.hpp"
#include "vectors.hpp"

namespace OFFBY_LEVEL {
namespace targets {

// In units of sqrt(2) sigma: from here on a tail is less than float32 can hold beside 1.
constexpr double FAR = 9;
constexpr double ROOT_OF_TWO = 1.41421356237309504880;

// erfc z for 0 <= z <= FAR: below 1 what erf leaves of 1, z times a polynomial in z^2;
// beyond, where that would lose digits, e^(-z^2) times a polynomial in 1 / (1 + 0.3 z). Of
// all of their degrees they are the nearest, 1.2e-9 and 2e-8 off at most.
OFFBY_INLINE f32v tail(f32v z) {
  const f32v square = z * z;
  f32v r = quotient(all(1.f), 1.f + 0.3f * z);
  f32v p = all(-0.129277604f);
  p = p * r + 0.484272351f;
  p = p * r - 0.509364962f;
  p = p * r + 0.544042924f;
  p = p * r - 0.0918154374f;
  p = p * r + 0.213560572f;
  p = p * r + 0.148739709f;
  p = p * r + 0.17064989f;
  p = p * r + 0.169192538f;
  f32v q = all(7.88912274e-05f);
  q = q * square - 0.000802084224f;
  q = q * square + 0.00518953545f;
  q = q * square - 0.0268544446f;
  q = q * square + 0.112836002f;
  q = q * square - 0.376126271f;
  q = q * square + 1.12837917f;
  return select(z < all(1.f), 1.f - z * q, exponential(-square) * p * r);
}

// The grid, with what is the same for all numbers.
struct Grid {
  const double* edges;
  int64_t n;
  double low, high, turn, rate;  // `rate`: bins to a unit, if they are even
  bool even, wraps;
  explicit Grid(const TargetsJob& job)
      : edges(job.edges), n(job.bins), low(edges[0]), high(edges[n]), turn(high - low),
        rate(double(n) / turn), even(job.even), wraps(job.wraps) {}

  // On a circle, on the turn that the edges are on.
  double turned(double y) const {
    double rest = std::fmod(y - low, turn);
    return low + (rest < 0 ? rest + turn : rest);
  }
  // The bin that holds a number of the grid; if even, or by rounding the one beside.
  int64_t bin(double y) const {
    if (even) return std::min(int64_t(std::max((y - low) * rate, 0.)), n - 1);
    return std::upper_bound(edges + 1, edges + n, y) - (edges + 1);
  }
  // Of the centers, and on a circle of the last one turn before, and the first one later.
  double center(int64_t i) const {
    if (!wraps) return edges[i] + (edges[i + 1] - edges[i]) / 2;
    int64_t k = i == 0 ? n - 1 : i == n + 1 ? 0 : i - 1;
    double x = edges[k] + (edges[k + 1] - edges[k]) / 2;
    return i == 0 ? x - turn : i == n + 1 ? x + turn : x;
  }
};

static void no_number(float* mass, int64_t n) {
  for (int64_t k = 0; k < n; k++) mass[k] = NAN;
}

static void two_hot(const TargetsJob& job, const Grid& grid, int64_t r) {
  const int64_t n = grid.n, centers = grid.wraps ? n + 2 : n;
  float* mass = job.masses + r * n;
  double y = double(job.values[r]);
  if (grid.wraps) y = grid.turned(y);
  if (std::isnan(y)) return no_number(mass, n);
  int64_t place;
  float share;
  if (grid.even) {
    double way = (y - grid.low) * grid.rate + (grid.wraps ? 0.5 : -0.5);
    way = std::min(std::max(way, 0.), double(centers - 1));
    place = std::min(int64_t(way), std::max(centers - 2, int64_t(0)));
    share = float(way - double(place));
  } else {
    int64_t first = 0, last = std::max(centers - 2, int64_t(0));
    while (first < last) {  // the last center that is not above y
      int64_t middle = (first + last + 1) / 2;
      if (grid.center(middle) <= y) first = middle;
      else last = middle - 1;
    }
    place = first;
    int64_t next = std::min(place + 1, centers - 1);
    double from = grid.center(place), gap = next > place ? grid.center(next) - from : 1;
    share = float(std::min(std::max((y - from) / gap, 0.), 1.));
  }
  int64_t before = place, after = place + (n > 1);
  if (grid.wraps) before = (place + n - 1) % n, after = place % n;
  std::fill_n(mass, n, 0.f);
  mass[before] = 1 - share;
  if (n > 1) mass[after] = share;
  else mass[after] += share;  // the only bin gets both
}

// Edges from `first` to `last` are computed; on a circle they are counted on over its turns,
// edge k + t n being edge k on turn t.
static void hl_gauss(const TargetsJob& job, const Grid& grid, Memory& memory, int64_t r) {
  const int64_t n = grid.n;
  float* mass = job.masses + r * n;
  double y = double(job.values[r]);
  y = grid.wraps ? grid.turned(y) : std::min(std::max(y, grid.low), grid.high);
  if (std::isnan(y)) return no_number(mass, n);
  const int64_t at = grid.bin(y);
  double sigma = job.spread;
  if (job.sigma) sigma = job.sigma[r];
  else if (job.widths != 0)
    sigma = job.widths * (grid.even ? grid.edges[1] - grid.low : grid.edges[at + 1] - grid.edges[at]);
  if (!(sigma > 0)) return no_number(mass, n);
  // From there on, the bell around the circle is flat to the last digit.
  if (grid.wraps) sigma = std::min(sigma, 1.5 * grid.turn);
  const double unit = ROOT_OF_TWO * sigma, reach = FAR * unit;
  int64_t first, last;
  if (grid.even) {
    // One more than needed: where rounding puts an edge does not matter then.
    const double widest = grid.wraps ? 64. * double(n) : double(n);
    double begin = std::floor((y - reach - grid.low) * grid.rate) - 1;
    double end = std::ceil((y + reach - grid.low) * grid.rate) + 1;
    first = int64_t(std::min(std::max(begin, grid.wraps ? -widest : 0.), double(at)));
    last = int64_t(std::max(std::min(end, widest), double(at + 1)));
  } else if (grid.wraps) {
    first = int64_t(std::floor((y - reach - grid.low) / grid.turn)) * n;
    last = int64_t(std::floor((y + reach - grid.low) / grid.turn) + 1) * n;
  } else {
    first = std::upper_bound(grid.edges, grid.edges + at, y - reach) - grid.edges;
    first = std::max(first - 1, int64_t(0));
    last = std::lower_bound(grid.edges + at + 1, grid.edges + n, y + reach) - grid.edges;
  }
  const int64_t count = last - first + 1;
  constexpr int W = lanes<float>;
  float* z = (float*)memory.of(sizeof(float) * size_t(count + 2 * W));
  const double inverse = 1 / unit;
  if (grid.wraps) {
    for (int64_t k = first; k < last;) {
      const int64_t turns = (k >= 0 ? k : k - n + 1) / n, stop = std::min((turns + 1) * n, last);
      const double from = y - double(turns) * grid.turn;
      for (; k < stop; k++) z[k - first] = float(std::fabs((grid.edges[k - turns * n] - from) * inverse));
    }
    const int64_t turns = (last >= 0 ? last : last - n + 1) / n;
    const double end = grid.edges[last - turns * n] + double(turns) * grid.turn;
    z[count - 1] = float(std::fabs((end - y) * inverse));
  } else {
    const double* edges = grid.edges + first;
    for (int64_t k = 0; k < count; k++) z[k] = float(std::fabs((edges[k] - y) * inverse));
  }
  for (int64_t k = count; k < count + 2 * W; k++) z[k] = float(FAR);
  // A mass is a difference of two tails, so that it has all its digits; that of the bin
  // which holds the number is what both tails leave.
  for (int64_t k = 0; k < count; k += W) store(z + k, tail(lesser(load(z + k), all(float(FAR)))));
  const float middle = 2 - z[at - first] - z[at - first + 1];
  const float share = 1 / (2 - z[0] - z[count - 1]);
  if (!grid.wraps) {
    std::fill(mass, mass + first, 0.f);
    std::fill(mass + last, mass + n, 0.f);
    for (int64_t k = first; k < last; k++) mass[k] = std::fabs(z[k - first + 1] - z[k - first]) * share;
    mass[at] = middle * share;
    return;
  }
  std::fill_n(mass, n, 0.f);
  int64_t bin = (first % n + n) % n;
  for (int64_t k = first; k < last; k++) {
    mass[bin] += (k == at ? middle : std::fabs(z[k - first + 1] - z[k - first])) * share;
    if (++bin == n) bin = 0;
  }
}

static void rows(const TargetsJob& job, int64_t begin, int64_t end) {
  static thread_local Memory memory;
  const Grid grid(job);
  for (int64_t r = begin; r < end; r++) {
    if (job.kind == TWO_HOT) two_hot(job, grid, r);
    else hl_gauss(job, grid, memory, r);
  }
}

}  // namespace targets
}  // namespace OFFBY_LEVEL
