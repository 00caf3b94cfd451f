// The loops, compiled once for each instruction set: OFFBY_LEVEL names it, OFFBY_BYTES is
// the width of its vectors, OFFBY_RUN and OFFBY_BOOST the functions it exports.
#include <cstdlib>

#include "block.hpp"
#include "boosting.hpp"
#include "targets.hpp"

namespace OFFBY_LEVEL {

// Rows of unit u: its first, and how many there are.
struct Rows {
  int64_t first, count;
};
OFFBY_INLINE Rows rows_of(const Task& task, int64_t u) {
  const Job& job = *task.job;
  // A unit never spans two of `outer`, unless rows lie one after the other.
  int64_t span = job.inner > 1 ? job.inner : job.outer * job.inner;
  if (job.inner == 1) {
    const int64_t first = u * task.lanes, left = span - first;
    return {first, left < task.lanes ? left : task.lanes};
  }
  int64_t start = u % task.groups * task.lanes;
  int64_t left = span - start;
  return {u / task.groups * span + start, left < task.lanes ? left : task.lanes};
}

template <class T, class L, unsigned Terms> static void unit(const Task& task, int64_t u) {
  const Job& job = *task.job;
  Rows rows = rows_of(task, u);
  const L* upstream = (const L*)job.upstream;
  if (upstream) {
    bool alike = true;
    for (int64_t i = 0; i < rows.count; i++) alike &= upstream[rows.first + i] == L(job.scale);
    if (alike) return;
  }
  if (task.lanes > 1) {
    if constexpr (sizeof(T) < sizeof(double)) {
      block<T, Terms>(task, rows.first, rows.count, (const float*)upstream + (upstream ? rows.first : 0));
      return;
    }
  }
  for (int64_t r = rows.first; r < rows.first + rows.count; r++) {
    double scale = upstream ? double(upstream[r]) : job.scale;
    row<T, L, Terms>(task, r, scale);
  }
}

// Multiplies the rows of a unit in place; exact, because the old scale is a power of two.
template <class T> static void multiply(const Task& task, int64_t u) {
  const Job& job = *task.job;
  Rows rows = rows_of(task, u);
  bool beside = job.gradient_class != 1;
  for (int64_t i = 0; i < rows.count; i++) {
    if (beside && i) break;
    T* g = gradient_of<T>(job, rows.first);
    const T* upstream = (const T*)job.upstream + rows.first;
    if (beside) {
      for (int64_t k = 0; k < job.classes; k++)
        for (int64_t j = 0; j < rows.count; j++)
          g[k * job.gradient_class + j * job.gradient_inner] *= upstream[j] / T(job.scale);
    } else {
      T times = upstream[i] / T(job.scale);
      T* one = gradient_of<T>(job, rows.first + i);
      if (times != 1)
        for (int64_t k = 0; k < job.classes; k++) one[k] *= times;
    }
  }
}


template <class T, class L, unsigned Terms>
static void units(const Task& task, int64_t begin, int64_t end) {
  for (int64_t u = begin; u < end; u++) unit<T, L, Terms>(task, u);
}
// The sums of terms that are asked for most have loops of their own.
template <class T, class L, unsigned... Most>
static void units(const Task& task, int64_t begin, int64_t end, std::integer_sequence<unsigned, Most...>) {
  const Job& job = *task.job;
  bool done = ((just<Most>(job) && (units<T, L, Most>(task, begin, end), true)) || ...);
  if (!done) units<T, L, ANY>(task, begin, end);
}
#ifdef OFFBY_FEW_LOOPS
// Under sanitizers, where compiling takes long: with these ANY holds every line.
using Most = std::integer_sequence<unsigned, 1 << CRPS, 1 << SQUARED_EMD>;
#else
using Most = std::integer_sequence<
    unsigned, 1 << CROSS_ENTROPY, 1 << WASSERSTEIN, 1 << SQUARED_EMD, 1 << CUMULATIVE, 1 << CRPS,
    1 << CROSS_ENTROPY | 1 << SQUARED_EMD>;
#endif

}  // namespace OFFBY_LEVEL

using namespace OFFBY_LEVEL;

// how: 0 computes; 1 multiplies the gradient by upstream / scale.
extern "C" void OFFBY_RUN(const Task* task, int how, int64_t begin, int64_t end) {
  const int32_t dtype = task->job->dtype;
  if (how == 0) {
    if (dtype == FLOAT32) units<float, float>(*task, begin, end, Most{});
    if (dtype == BFLOAT16) units<bfloat16, float>(*task, begin, end, Most{});
    if (dtype == FLOAT64) units<double, double, ANY>(*task, begin, end);
    return;
  }
  for (int64_t u = begin; u < end; u++) {
    if (dtype == FLOAT32) multiply<float>(*task, u);
    if (dtype == FLOAT64) multiply<double>(*task, u);
  }
}

extern "C" void OFFBY_BOOST(const void* job, int single, int64_t begin, int64_t end) {
  for (int64_t u = begin; u < end; u++) {
    if (single) boosting::boost(*(const BoostingJob<float>*)job, u);
    else boosting::boost(*(const BoostingJob<double>*)job, u);
  }
}

extern "C" void OFFBY_TARGETS(const void* job, int64_t begin, int64_t end) {
  targets::rows(*(const TargetsJob*)job, begin, end);
}
