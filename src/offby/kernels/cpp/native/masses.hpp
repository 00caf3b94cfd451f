// Rows of masses on a grid: their running sums, their score at a number, their shortest
// intervals. Plain loops, for memory is what they wait for. offby/distribution is the specification.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "masses_job.hpp"

namespace masses {

// Rows whose sums run side by side: a sum alone waits for each of its additions.
constexpr int64_t BESIDE = 4;

// The first bin whose running sum reaches a mass; of no number, the last one.
inline int64_t reaching(const double* reached, int64_t n, double mass) {
  if (std::isnan(mass)) return n - 1;
  // The least number, not 0: bins without mass before the first with mass are no part of the
  // support.
  mass = std::max(mass, std::numeric_limits<double>::min());
  return std::min<int64_t>(std::lower_bound(reached, reached + n, mass) - reached, n - 1);
}

inline void pick(const MassesJob& job, const double* reached, int64_t r) {
  const int64_t n = job.bins;
  const double total = job.total[r] = reached[n - 1];
  for (int64_t i = r * job.each; i < (r + 1) * job.each; i++) {
    if (job.kind == REACH) job.at[i] = reaching(reached, n, job.numbers[i] * total);
    const int64_t at = job.at[i];
    job.start[i] = at == 0 ? 0 : reached[at - 1];
    job.end[i] = reached[at];
  }
}

template <class T> void sums(const MassesJob& job, int64_t begin, int64_t end) {
  const int64_t n = job.bins;
  const T* masses = (const T*)job.masses;
  std::vector<double> reached(size_t(BESIDE * n));
  for (int64_t r = begin; r < end; r += BESIDE) {
    const int64_t count = std::min(BESIDE, end - r);
    double sum[BESIDE] = {};
    const T* row[BESIDE];
    // Where there are fewer rows, the last one stands in for the others.
    for (int64_t i = 0; i < BESIDE; i++) row[i] = masses + (r + std::min(i, count - 1)) * n;
    for (int64_t k = 0; k < n; k++)
      for (int64_t i = 0; i < BESIDE; i++) reached[i * n + k] = sum[i] += double(row[i][k]);
    for (int64_t i = 0; i < count; i++) pick(job, reached.data() + i * n, r + i);
  }
}

// Three times the integral of the squared distribution function below the number, and of what
// it lacks of 1 above: each summed from its own end, where it is small.
template <class T> double squares(const MassesJob& job, const T* mass, double y) {
  const int64_t n = job.bins;
  const double* edges = job.edges;
  const int64_t at = std::isnan(y) ? n - 1 : std::upper_bound(edges + 1, edges + n, y) - (edges + 1);
  double found = 0, below = 0, above = 0;
  auto add = [&found](double& sum, double mass, double width) {
    const double before = sum;
    sum += mass;
    found += width * (before * before + before * sum + sum * sum);
  };
  for (int64_t k = 0; k < at; k++) add(below, double(mass[k]), job.widths[k]);
  for (int64_t k = n - 1; k > at; k--) add(above, double(mass[k]), job.widths[k]);
  double share = (y - edges[at]) / (edges[at + 1] - edges[at]);
  if (!std::isnan(share)) share = std::min(std::max(share, 0.), 1.);
  add(below, double(mass[at]) * share, job.widths[at] * share);
  add(above, double(mass[at]) * (1 - share), job.widths[at] * (1 - share));
  return found;
}

template <class T> void scores(const MassesJob& job, int64_t begin, int64_t end) {
  const T* masses = (const T*)job.masses;
  for (int64_t r = begin; r < end; r++)
    job.start[r] = squares(job, masses + r * job.bins, job.numbers[r]) / 3;
}

// The shortest interval with a share of a row's mass. Its best place has an end at an edge, and
// as one end moves up from edge to edge, so does the other: each is followed, not searched for.
// `below` is the share of the mass below each edge.
inline void shortest(const MassesJob& job, const double* below, int64_t r) {
  constexpr double SLACK = 1e-12;  // what rounding takes beyond an end is no reason to leave it out
  const int64_t n = job.bins;
  const double *edges = job.edges, mass = job.numbers[r];
  // Inside one bin all places are as short: the first is taken, and not what rounding likes.
  const double near = SLACK * (edges[n] - edges[0]);
  double best = std::numeric_limits<double>::infinity(), low = edges[0], high = edges[n];
  // The number inside a bin below which a share lies.
  auto inside = [&](int64_t k, double share) {
    const double own = below[k + 1] - below[k];
    const double part = own > 0 ? std::min(std::max((share - below[k]) / own, 0.), 1.) : 0;
    return edges[k] + (edges[k + 1] - edges[k]) * part;
  };
  auto take = [&](double first, double last) {
    last = std::max(first, last);  // of no mass among empty bins
    if (last - first < best - near) best = last - first, low = first, high = last;
  };
  for (int64_t i = 0, k = 0; i <= n && below[i] + mass <= 1 + SLACK; i++) {
    if (i < n && below[i + 1] == below[i]) continue;  // begins with an empty bin
    const double until = std::min(below[i] + mass, 1.);
    while (k < n - 1 && below[k + 1] < until) k++;
    take(edges[i], inside(k, until));
  }
  for (int64_t j = 0, k = 0; j <= n; j++) {
    if (below[j] - mass < -SLACK) continue;
    if (j > 0 && below[j - 1] == below[j]) continue;  // ends with an empty bin
    const double from = std::max(below[j] - mass, 0.);
    while (k < n - 1 && below[k + 1] <= from) k++;
    take(inside(k, from), edges[j]);
  }
  job.start[r] = low, job.end[r] = high;
}

template <class T> void intervals(const MassesJob& job, int64_t begin, int64_t end) {
  const int64_t n = job.bins;
  std::vector<double> below(size_t(n + 1));
  for (int64_t r = begin; r < end; r++) {
    const T* mass = (const T*)job.masses + r * n;
    for (int64_t k = 0; k < n; k++) below[k + 1] = below[k] + double(mass[k]);
    const double total = below[n];
    for (int64_t k = 1; k <= n; k++) below[k] /= total;
    shortest(job, below.data(), r);
  }
}

template <class T> void rows(const MassesJob& job, int64_t begin, int64_t end) {
  if (job.kind == SCORE) scores<T>(job, begin, end);
  else if (job.kind == SHORTEST) intervals<T>(job, begin, end);
  else sums<T>(job, begin, end);
}

}  // namespace masses
