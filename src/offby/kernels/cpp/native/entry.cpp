// The C interface: picks the instruction set, cuts the work into units, hands them out.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "boosting_job.hpp"
#include "job.hpp"
#include "masses.hpp"
#include "targets_job.hpp"

#if defined(_WIN32)
#define OFFBY_API extern "C" __declspec(dllexport)
#else
#define OFFBY_API extern "C" __attribute__((visibility("default")))
#endif

extern "C" void offby_run_base(const Task*, int, int64_t, int64_t);
extern "C" void offby_boost_base(const void*, int, int64_t, int64_t);
extern "C" void offby_targets_base(const void*, int64_t, int64_t);
#if defined(__x86_64__)
extern "C" void offby_run_avx2(const Task*, int, int64_t, int64_t);
extern "C" void offby_boost_avx2(const void*, int, int64_t, int64_t);
extern "C" void offby_targets_avx2(const void*, int64_t, int64_t);
extern "C" void offby_run_avx512(const Task*, int, int64_t, int64_t);
extern "C" void offby_boost_avx512(const void*, int, int64_t, int64_t);
extern "C" void offby_targets_avx512(const void*, int64_t, int64_t);
#endif

namespace {

struct Level {
  const char* name;
  void (*run)(const Task*, int, int64_t, int64_t);
  void (*boost)(const void*, int, int64_t, int64_t);
  void (*targets)(const void*, int64_t, int64_t);
  int64_t bytes;
  bool (*here)();
};

const Level levels[] = {
#if defined(__x86_64__)
    {"sse2", offby_run_base, offby_boost_base, offby_targets_base, 16, [] { return true; }},
    {"avx2", offby_run_avx2, offby_boost_avx2, offby_targets_avx2, 32,
     [] {
       __builtin_cpu_init();  // Not every compiler does this when the library is loaded.
       return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
     }},
    {"avx512", offby_run_avx512, offby_boost_avx512, offby_targets_avx512, 64,
     [] {
       __builtin_cpu_init();
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
     }},
#elif defined(__aarch64__)
    {"neon", offby_run_base, offby_boost_base, offby_targets_base, 16, [] { return true; }},
#else
    {"base", offby_run_base, offby_boost_base, offby_targets_base, 16, [] { return true; }},
#endif
};
constexpr int n_levels = sizeof(levels) / sizeof(levels[0]);

// As PyTorch's `torch_parallel_for`: begin, end, grain, function, its argument.
using Parallel = int32_t (*)(int64_t, int64_t, int64_t, void (*)(int64_t, int64_t, void*), void*);
Parallel parallel = nullptr;
int64_t own_threads = 1;

void in_parallel(int64_t units, int64_t grain, void (*work)(int64_t, int64_t, void*), void* with) {
  if (units <= grain) return work(0, units, with);
  if (parallel && parallel(0, units, grain, work, with) == 0) return;
  int64_t n = units / grain < own_threads ? units / grain : own_threads;
  if (n <= 1) return work(0, units, with);
  std::vector<std::thread> others;
  for (int64_t i = 1; i < n; i++) others.emplace_back(work, units * i / n, units * (i + 1) / n, with);
  work(0, units / n, with);
  for (auto& other : others) other.join();
}

// Rows of few classes go side by side into one vector; so do rows that already lie so. It
// saves the shuffles of running sums, and costs those of turning the rows. It pays as long as
// the numbers of so many rows stay near. It hangs on the classes alone: a row's bits must not
// depend on its company.
int64_t few_classes(const Job& job) {
  // On a tree the way through the nodes is the same for all rows.
  if (job.factor[TREE] != 0) return INT64_MAX;
  bool sums = job.factor[SQUARED_EMD] != 0 || job.factor[CUMULATIVE] != 0 || job.factor[CRPS] != 0;
  return sums ? 4096 : 320;
}

template <class C> struct Numbers {
  std::vector<C> gap, place, crumb, width;
  Ground<C> of(const Job& job) {
    const int64_t K = job.classes;
    auto wants = [&](Term term) { return job.factor[term] != 0; };
    bool lines = wants(WASSERSTEIN) || wants(SQUARED_EMD) || wants(CUMULATIVE);
    auto position = [&](int64_t k) { return job.positions ? job.positions[k] : double(k); };
    size_t size = size_t(K) + 128;
    bool whole = true;
    gap.assign(lines ? size : 0, 0);
    place.assign(size, 0);
    crumb.assign(size, 0);
    width.assign(wants(CRPS) ? size : 0, 0);
    for (int64_t k = 0; lines && k < K; k++) {
      if (k + 1 < K) gap[64 + k] = C(position(k + 1) - position(k));
      place[64 + k] = C(position(k));
      crumb[64 + k] = C(position(k) - double(place[64 + k]));
      whole &= crumb[64 + k] == 0;
    }
    for (int64_t k = 0; wants(CRPS) && k < K; k++)
      width[64 + k] = C(job.edges[k + 1] - job.edges[k]);
    const C* from = gap.data() + 64;
    bool even = lines && K > 1;
    for (int64_t k = 1; even && k + 1 < K; k++) even = from[k] == from[0];
    return {from, even ? from[0] : C(0), place.data() + 64, crumb.data() + 64, whole, width.data() + 64};
  }
};

struct Nodes {
  std::vector<int32_t> parent, start, end, leaf, rank;
  std::vector<double> weight;
  Forest of(const Job& job) {
    const int64_t K = job.classes, n = job.factor[TREE] != 0 ? job.cuts : 0;
    if (job.factor[TREE] == 0) return {};
    std::vector<int64_t> outward(n);
    std::iota(outward.begin(), outward.end(), 0);
    std::sort(outward.begin(), outward.end(), [&](int64_t a, int64_t b) {
      if (job.start[a] != job.start[b]) return job.start[a] < job.start[b];
      return job.end[a] > job.end[b];
    });
    parent = {0};
    start = {0};
    end = {int32_t(K)};
    weight = {0};
    leaf.resize(K);
    rank.resize(K);
    std::vector<int32_t> open = {0};
    auto next = outward.begin();
    for (int64_t r = 0; r < K; r++) {
      while (end[open.back()] <= r) open.pop_back();
      for (; next != outward.end() && job.start[*next] == r; ++next) {
        parent.push_back(open.back());
        start.push_back(int32_t(r));
        end.push_back(int32_t(job.end[*next]));
        weight.push_back(job.weights[*next]);
        open.push_back(int32_t(end.size()) - 1);
      }
      leaf[job.order[r]] = open.back();
      rank[job.order[r]] = int32_t(r);
    }
    return {int64_t(parent.size()), parent.data(), start.data(), end.data(),
            weight.data(), leaf.data(), rank.data()};
  }
};

// The bin of a number is then found by a division, and a step to a neighbor at most.
double rate_of(const Job& job) {
  if (job.factor[CRPS] == 0) return 0;
  const int64_t K = job.classes;
  const double rate = double(K) / (job.edges[K] - job.edges[0]);
  for (int64_t k = 0; k < K; k++)
    if (!(std::fabs((job.edges[k] - job.edges[0]) * rate - double(k)) < 0.5)) return 0;
  return rate;
}

struct Work {
  Task task;
  const Level* level;
  int how;
};

void run(const Job& job, int how) {
  if (job.outer <= 0 || job.inner <= 0 || job.classes <= 0) return;
  const Level& level = levels[job.level];
  Numbers<float> single;
  Numbers<double> twice;
  Nodes nodes;
  Work work{{&job, {}, {}, {}, 1, 1, 0}, &level, how};
  if (how == 0) {
    if (job.dtype != FLOAT64) work.task.single = single.of(job);
    work.task.twice = twice.of(job);
    work.task.forest = nodes.of(job);
    work.task.rate = rate_of(job);
  }
  Task& task = work.task;
  bool beside = job.inner > 1 || job.logits_class != 1;
  if (job.dtype != FLOAT64 && (beside || job.classes <= few_classes(job)))
    task.lanes = level.bytes / int64_t(sizeof(float));
  int64_t span = job.inner > 1 ? job.inner : job.outer * job.inner;
  task.groups = (span + task.lanes - 1) / task.lanes;
  int64_t units = task.groups * (job.inner > 1 ? job.outer : 1);
#if defined(__linux__)
  // Large fresh memory costs more to map, page by page, than the loss costs to compute.
  size_t bytes = size_t(job.outer * job.inner * job.classes) * (job.dtype == FLOAT64 ? 8 : job.dtype == FLOAT32 ? 4 : 2);
  if (how == 0 && job.gradient && !job.upstream && bytes >= size_t(4) << 20) {
    const uintptr_t page = uintptr_t(2) << 20;
    uintptr_t first = ((uintptr_t)job.gradient + page - 1) & ~(page - 1);
    uintptr_t last = ((uintptr_t)job.gradient + bytes) & ~(page - 1);
    if (last > first) madvise((void*)first, last - first, MADV_HUGEPAGE);
  }
#endif
  int64_t grain = 32768 / (job.classes * task.lanes);
  in_parallel(units, grain > 1 ? grain : 1,
              [](int64_t begin, int64_t end, void* with) {
                const Work& work = *(const Work*)with;
                work.level->run(&work.task, work.how, begin, end);
              },
              &work);
}

// Why a job cannot be done: -2 if numbers are asked for that are not there, -1 if a row lies
// outside the arrays, y + 1 of the first row y whose class does not exist; 0 if it can.
template <class C> int64_t refused(const BoostingJob<C>& job) {
  if (!job.index) return job.gradient || job.loss ? -2 : 0;
  if (job.numbers != 0 && !(job.before && job.after)) return -2;
  for (int64_t i = 0; i < job.rows; i++) {
    const int64_t row = job.picked ? job.picked[i] : i;
    if (row < 0 || row >= job.held) return -1;
    if (job.index[row] < 0 || job.index[row] >= job.classes) return row + 1;
  }
  return 0;
}

template <class C> int64_t boost(const BoostingJob<C>& job) {
  if (job.rows <= 0) return 0;
  if (int64_t why = refused(job)) return why;
  const int64_t rows = levels[job.level].bytes / int64_t(sizeof(C));
  const int64_t grain = 8192 / (job.classes * rows);
  in_parallel((job.rows + rows - 1) / rows, grain > 1 ? grain : 1,
              [](int64_t begin, int64_t end, void* with) {
                const auto& job = *(const BoostingJob<C>*)with;
                levels[job.level].boost(&job, sizeof(C) == sizeof(float), begin, end);
              },
              (void*)&job);
  return 0;
}

void targets(const TargetsJob& job) {
  if (job.rows <= 0) return;
  const int64_t grain = 32768 / job.bins;
  in_parallel(job.rows, grain > 1 ? grain : 1,
              [](int64_t begin, int64_t end, void* with) {
                levels[((const TargetsJob*)with)->level].targets(with, begin, end);
              },
              (void*)&job);
}

void of_masses(const MassesJob& job) {
  if (job.rows <= 0) return;
  const int64_t grain = 32768 / job.bins;
  in_parallel(job.rows, grain > 4 ? grain : 4,
              [](int64_t begin, int64_t end, void* with) {
                const MassesJob& job = *(const MassesJob*)with;
                if (job.single) masses::rows<float>(job, begin, end);
                else masses::rows<double>(job, begin, end);
              },
              (void*)&job);
}

}  // namespace

// Goes up whenever `Job` or a function here changes.
OFFBY_API int32_t offby_version() { return 7; }
OFFBY_API int32_t offby_sizeof_job() { return int32_t(sizeof(Job)); }
// Name of a level; null past the last, empty if this machine lacks it.
OFFBY_API const char* offby_level(int32_t i) {
  if (i < 0 || i >= n_levels) return nullptr;
  return levels[i].here() ? levels[i].name : "";
}
OFFBY_API void offby_use_threads(void* torch_parallel_for, int64_t own) {
  parallel = (Parallel)torch_parallel_for;
  own_threads = own;
}
// Loss and gradient of every row.
OFFBY_API void offby_run(const Job* job) { run(*job, 0); }
// Turns a gradient made for `scale` into that for `upstream`. Null logits: in place, right
// only if the scale is a power of two.
OFFBY_API void offby_rescale(const Job* job) { run(*job, 1); }
// Loss, gradient and curvature of rows by the raw outputs of trees; or, and then nothing is
// done, why not: see `refused`.
OFFBY_API int64_t offby_boost_single(const BoostingJob<float>* job) { return boost(*job); }
OFFBY_API int64_t offby_boost_double(const BoostingJob<double>* job) { return boost(*job); }
OFFBY_API int32_t offby_sizeof_boosting_job(int32_t single) {
  return int32_t(single ? sizeof(BoostingJob<float>) : sizeof(BoostingJob<double>));
}
// Targets of numbers that are distributions over bins.
OFFBY_API void offby_targets(const TargetsJob* job) { targets(*job); }
OFFBY_API int32_t offby_sizeof_targets_job() { return int32_t(sizeof(TargetsJob)); }
// Running sums of rows of masses, their scores or their shortest intervals.
OFFBY_API void offby_masses(const MassesJob* job) { of_masses(*job); }
OFFBY_API int32_t offby_sizeof_masses_job() { return int32_t(sizeof(MassesJob)); }
// Whether every number is the scale.
OFFBY_API int32_t offby_is_scale(const void* upstream, int64_t n, double scale, int32_t dtype) {
  bool alike = true;
  if (dtype == FLOAT64)
    for (int64_t i = 0; i < n; i++) alike &= ((const double*)upstream)[i] == scale;
  else
    for (int64_t i = 0; i < n; i++) alike &= ((const float*)upstream)[i] == float(scale);
  return alike;
}
