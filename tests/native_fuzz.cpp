// Runs the kernels over odd shapes, strides, types and numbers, each array exactly as large
// as it must be: built with AddressSanitizer and UBSan, which end it at the first fault.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "boosting_job.hpp"
#include "job.hpp"
#include "masses_job.hpp"
#include "targets_job.hpp"

extern "C" void offby_run(const Job*);
extern "C" void offby_rescale(const Job*);
extern "C" void offby_targets(const TargetsJob*);
extern "C" void offby_masses(const MassesJob*);
extern "C" int64_t offby_boost_single(const BoostingJob<float>*);
extern "C" int64_t offby_boost_double(const BoostingJob<double>*);
static int64_t boost(const BoostingJob<float>* job) { return offby_boost_single(job); }
static int64_t boost(const BoostingJob<double>* job) { return offby_boost_double(job); }
extern "C" const char* offby_level(int32_t);

static std::mt19937 dice(7);
static int64_t pick(std::initializer_list<int64_t> of) {
  return of.begin()[dice() % of.size()];
}
static double number() {
  static const double odd[] = {NAN, INFINITY, -INFINITY, 1e4, -1e4, 0, 1e38, -1e38};
  if (dice() % 40 == 0) return odd[dice() % 8];
  return double(dice() % 2001) / 250 - 4;
}

// The numbers of all first levels in two: other compilers and machines must come near them.
static double digest = 0;
static long noted = 0;
static void note(double x) {
  if (!std::isfinite(x)) return;
  noted++;
  digest += x / (1 + std::fabs(x));
}

// In the type of the job; freed exactly, so that a step too far is seen.
struct Array {
  int32_t dtype;
  std::vector<double> twice;
  std::vector<float> single;
  std::vector<uint16_t> half;
  Array(int32_t dtype, int64_t n) : dtype(dtype) {
    if (dtype == FLOAT64) twice.resize(n);
    if (dtype == FLOAT32) single.resize(n);
    if (dtype == BFLOAT16) half.resize(n);
    for (double& x : twice) x = number();
    for (float& x : single) x = float(number());
    for (uint16_t& x : half) {
      float f = float(number());
      uint32_t bits;
      memcpy(&bits, &f, 4);
      x = uint16_t(bits >> 16);
    }
  }
  void note_all() const {
    for (double x : twice) note(x);
    for (float x : single) note(x);
  }
  void* data() {
    if (dtype == FLOAT64) return twice.data();
    return dtype == FLOAT32 ? (void*)single.data() : (void*)half.data();
  }
};

// Runs of leaves, one inside the other or apart: the cuts of a tree.
struct Cuts {
  std::vector<int64_t> order, start, end;
  std::vector<double> weights;
  explicit Cuts(int64_t K) : order(K) {
    for (int64_t k = 0; k < K; k++) order[k] = k;
    for (int64_t k = K - 1; k > 0; k--) std::swap(order[k], order[dice() % (k + 1)]);
    grow(0, K);
    for (size_t i = weights.size(); i > 1; i--) {
      size_t j = dice() % i;
      std::swap(start[i - 1], start[j]);
      std::swap(end[i - 1], end[j]);
    }
  }
  void grow(int64_t from, int64_t to) {
    if (dice() % 8) {
      start.push_back(from);
      end.push_back(to);
      weights.push_back(0.5 + double(dice() % 4));
    }
    if (to - from < 2) return;
    int64_t middle = from + 1 + int64_t(dice() % (to - from - 1));
    grow(from, middle);
    grow(middle, to);
  }
};

// One job of the trees, in float or double; false if a hostile one was not refused.
template <class C> static bool grown(int32_t level) {
  BoostingJob<C> job{};
  job.level = level;
  const int64_t K = job.classes = pick({2, 3, 5, 8, 17, 40});
  job.held = pick({0, 1, 2, 7, 16, 33});
  job.shapes = int32_t(dice() % 3);
  job.line = dice() % 2;
  const int64_t waves = job.shapes ? pick({0, 1, 3}) : pick({1, 3, 5});
  job.outputs = job.shapes + waves;
  auto some = [](int64_t n, bool positive = false) {
    std::vector<C> made(n);
    for (C& x : made) x = positive ? C(0.5 + double(dice() % 4)) : C(number());
    return made;
  };
  Cuts cuts(K);
  if (job.line) {
    cuts.start.assign(K - 1, 0);
    cuts.end.resize(K - 1);
    for (int64_t k = 0; k < K; k++) cuts.order[k] = k;
    for (int64_t k = 1; k < K; k++) cuts.end[k - 1] = k;
  }
  const int64_t E = job.runs = int64_t(cuts.end.size());
  std::vector<int64_t> rank(K), index(job.held), picked;
  for (int64_t k = 0; k < K; k++) rank[cuts.order[k]] = k;
  auto raw = some(job.held * job.outputs), moves = some(waves * K), base = some(K, true);
  for (int64_t k = 1; k < K; k++) base[k] += base[k - 1];
  auto before = some(job.held), after = some(job.held), weight = some(job.held, true);
  auto squares = some(E, true), between = some(E, true), logs = some(E + 1, true), pairs = some(K * K, true);
  logs[E] = C(dice() % 2);
  std::vector<C> slopes(raw.size()), bends(raw.size()), loss(job.held), masses(job.held * K);
  std::vector<uint8_t> again(job.held);
  job.raw = raw.data(), job.base = base.data(), job.waves = moves.data();
  job.order = cuts.order.data(), job.rank = rank.data(), job.start = cuts.start.data(), job.end = cuts.end.data();
  job.squares = squares.data(), job.between = between.data(), job.logs = logs.data();
  if (dice() % 4 == 0) job.distance = job.convex = pairs.data();
  job.weight = dice() % 2 ? weight.data() : nullptr;
  job.again = again.data();
  job.cross_entropy = C(dice() % 2), job.floor = C(1e-6);
  // Between the runs of a line alone: a histogram.
  job.numbers = C(job.line && dice() % 2);
  job.kind = int32_t(dice() % 3);
  job.whole = !job.line && dice() % 2;
  const bool beside = dice() % 2;
  job.raw_row = job.out_row = beside ? 1 : job.outputs;
  job.raw_output = job.out_output = beside ? job.held : 1;
  job.probabilities = dice() % 2 ? masses.data() : nullptr;
  job.loss = dice() % 2 ? loss.data() : nullptr;
  if (dice() % 4) job.gradient = slopes.data(), job.curvature = bends.data();
  for (int64_t& y : index) y = int64_t(dice() % K);
  if (dice() % 8) job.index = index.data();
  if (dice() % 8) job.before = before.data(), job.after = after.data();
  job.rows = job.held;
  if (dice() % 2) {
    for (int64_t i = 0; i < job.held; i++)
      if (dice() % 2) picked.push_back(i);
    job.rows = int64_t(picked.size());
    job.picked = picked.data();
  }
  int64_t why = 0;
  if (job.rows && !job.index) why = job.gradient || job.loss ? -2 : 0;
  else if (job.rows && job.numbers != 0 && !job.before) why = -2;
  else if (job.rows && dice() % 3 == 0) {
    const int64_t at = int64_t(dice() % job.rows), odd = pick({-1, K, -100, INT64_MAX, INT64_MIN});
    if (job.picked && dice() % 2) {
      picked[at] = pick({-1, job.held, INT64_MAX, INT64_MIN});
      why = -1;
    } else {
      const int64_t row = job.picked ? picked[at] : at;
      index[row] = odd;
      why = row + 1;
    }
  }
  return boost(&job) == why;
}

// One job of soft targets, on lines and circles, with odd numbers and deviations.
static void blurred(int32_t level) {
  TargetsJob job{};
  job.level = level;
  job.kind = int32_t(dice() % 2);
  job.bins = pick({1, 2, 3, 7, 16, 17, 64, 101});
  job.rows = pick({0, 1, 5, 33});
  job.even = dice() % 2;
  job.wraps = dice() % 2;
  std::vector<float> values(job.rows), masses(job.rows * job.bins);
  std::vector<double> edges(job.bins + 1), sigma(job.rows);
  double at = number() > 0 ? -3 : 1e6;
  for (double& x : edges) x = at += job.even ? 0.25 : 0.01 + double(dice() % 100) / 50;
  for (float& y : values) {
    y = float(number());
    if (dice() % 4 == 0) y = float(edges[dice() % edges.size()]);
  }
  for (double& s : sigma) s = std::fabs(number()) + (dice() % 9 ? 1e-3 : 0);
  job.values = values.data(), job.edges = edges.data(), job.masses = masses.data();
  job.spread = double(pick({1, 3, 900})) / 100;
  if (dice() % 20 == 0) job.spread = INFINITY;
  if (dice() % 3 == 0) job.widths = 0.75;
  else if (dice() % 2) job.sigma = sigma.data();
  offby_targets(&job);
}

// One job of rows of masses: their sums, the bins that shares reach, their scores and intervals.
static void summed() {
  MassesJob job{};
  job.kind = int32_t(dice() % 4);
  job.single = dice() % 2;
  job.bins = pick({1, 2, 3, 7, 16, 17, 64, 101});
  job.rows = pick({0, 1, 3, 4, 5, 33});
  job.each = job.kind == SCORE || job.kind == SHORTEST ? 1 : pick({0, 1, 3});
  Array masses(job.single ? FLOAT32 : FLOAT64, job.rows * job.bins);
  std::vector<double> numbers(job.rows * job.each), start(numbers.size()), end(numbers.size());
  std::vector<double> total(job.rows), edges(job.bins + 1), widths(job.bins, 0.25);
  std::vector<int64_t> at(numbers.size());
  double from = -3;
  for (double& x : edges) x = from += 0.25;
  for (double& y : numbers) y = number();
  for (int64_t& k : at) k = int64_t(dice() % job.bins);
  job.masses = masses.data(), job.numbers = numbers.data(), job.edges = edges.data();
  job.widths = widths.data(), job.at = at.data(), job.start = start.data();
  job.end = end.data(), job.total = total.data();
  offby_masses(&job);
}

int main() {
  int runs = 0;
  for (int32_t level = 0; offby_level(level); level++)
    for (int round = 0; *offby_level(level) && round < 250; round++) {
      Job job{};
      job.level = level;
      job.dtype = int32_t(dice() % 3);
      // The squared EMD of one long row runs in segments, the last of them short.
      const bool segments = dice() % 12 == 0;
      const int64_t K = job.classes = segments ? pick({4097, 4400, 5003})
          : pick({1, 2, 3, 4, 7, 8, 15, 16, 17, 33, 64, 65, 101, 130, 1023, 1025, 1100});
      const bool beside = !segments && dice() % 3 == 0;
      job.outer = segments ? 3 : pick({0, 1, 2, 5, 16, 33});
      job.inner = beside ? pick({1, 2, 15, 16, 17, 40}) : 1;
      const int64_t gap = pick({0, 0, 1, 5});
      int64_t size;
      if (beside) {
        job.logits_inner = 1;
        job.logits_class = job.inner + gap;
        job.logits_outer = K * job.logits_class;
        size = job.outer ? (job.outer - 1) * job.logits_outer + (K - 1) * job.logits_class + job.inner : 0;
      } else {
        job.logits_class = 1;
        job.logits_outer = K + gap;
        size = job.outer ? (job.outer - 1) * job.logits_outer + K : 0;
      }
      job.gradient_class = job.inner;
      job.gradient_inner = 1;
      job.gradient_outer = K * job.inner;
      const int64_t rows = job.outer * job.inner;
      Array logits(job.dtype, size), gradient(job.dtype, rows * K);
      const int32_t wide = job.dtype == BFLOAT16 ? int32_t(FLOAT32) : job.dtype;
      Array loss(wide, rows), upstream(wide, rows);
      std::vector<int64_t> index(rows);
      std::vector<double> value(rows), positions(K), edges(K + 1);
      for (int64_t& y : index) y = dice() % 30 ? int64_t(dice() % K) : pick({-1, K, -100, INT64_MAX});
      for (double& v : value) v = number();
      double at = -3;
      for (double& x : positions) x = at += 0.01 + double(dice() % 100) / 50;
      at = -3;
      for (double& x : edges) x = at += 0.01 + double(dice() % 100) / (10 * double(K));
      Cuts cuts(K);
      job.order = cuts.order.data();
      job.start = cuts.start.data();
      job.end = cuts.end.data();
      job.weights = cuts.weights.data();
      job.cuts = int64_t(cuts.weights.size());
      for (double& factor : job.factor) factor = dice() % 2 ? 0 : 0.5 + double(dice() % 4);
      for (int t = 0; segments && t < N_TERMS; t++) job.factor[t] = t == SQUARED_EMD;
      job.logits = logits.data();
      job.gradient = dice() % 5 ? gradient.data() : nullptr;
      job.loss = loss.data();
      job.index = index.data();
      const bool alone = job.factor[CRPS] != 0 && dice() % 2;
      if (alone) {
        for (double& factor : job.factor) factor = 0;
        job.factor[CRPS] = 1;
        job.index = nullptr;
      }
      job.value = value.data();
      job.edges = edges.data();
      job.positions = dice() % 2 ? positions.data() : nullptr;
      job.power = double(pick({1, 2, 3})) * (dice() % 4 ? 1 : 1.1);
      job.scale = dice() % 2 ? 0.25 : 1. / 3;
      offby_run(&job);
      if (level == 0) {
        loss.note_all();
        if (job.gradient) gradient.note_all();
      }
      if (job.gradient) {
        job.loss = nullptr;
        job.upstream = upstream.data();
        if (job.scale == 0.25 && job.dtype != BFLOAT16) offby_rescale(&job);
        else offby_run(&job);
      }
      runs++;
    }
  for (int32_t level = 0; offby_level(level); level++)
    for (int round = 0; *offby_level(level) && round < 700; round++, runs++)
      if (!(round % 2 ? grown<float>(level) : grown<double>(level))) {
        std::fprintf(stderr, "a job of the trees should have been refused, or not\n");
        return 1;
      }
  for (int32_t level = 0; offby_level(level); level++)
    for (int round = 0; *offby_level(level) && round < 400; round++, runs++) blurred(level);
  for (int round = 0; round < 400; round++, runs++) summed();
  std::printf("%d runs, %ld finite numbers, digest %.4f\n", runs, noted, digest);
}
