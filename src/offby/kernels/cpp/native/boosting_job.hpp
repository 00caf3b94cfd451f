// What one call of the boosting kernel asks for. offby/kernels/boosting.py mirrors it.
#pragma once
#include <cstdint>

enum Curvature : int32_t { GAUSS_NEWTON, GERSHGORIN, VARIANCE };

// C, float or double, is what the loops compute in. Output l of row i lies at  raw + i * raw_row + l * raw_output.
template <class C> struct BoostingJob {
  const C* raw;
  const C* base;               // of each class: log frequency; or of each cut: threshold
  const C* waves;              // outputs behind location and scale, times classes
  const int64_t* index;        // true classes; null: probabilities alone
  const C *before, *after;     // what a number adds at the edges of its bin; or null
  const C* weight;             // of each row; null: 1
  const int64_t* picked;       // the rows to compute, others are left alone; null: all
  const int64_t *order, *rank, *start, *end;  // the classes along the runs, and the runs
  const C *squares, *between, *logs;  // of each run, of each but the last, of each
  // Behind the last of `logs`: 0 if all of them are.
  const C *distance, *convex;  // classes times classes, or null
  C *gradient, *curvature;     // null: not asked for
  C* loss;                     // without what a number adds by itself; or null
  C* probabilities;            // rows times classes; or null
  uint8_t* again;              // of float: 1 of rows that need double, else 0
  int64_t rows, classes, outputs, runs;
  int64_t raw_row, raw_output, out_row, out_output;
  int64_t held;                // rows that the arrays have; `rows` of them are computed
  C cross_entropy, numbers, floor, unused;
  int32_t shapes;              // 0: none, 1: a location, 2: a location and a log scale
  int32_t kind;                // of the curvature
  int32_t line;                // run k is the classes 0 to k
  int32_t whole;               // sum every run by itself: exact also of small ones
  int32_t level, padding;
};
