// What one call on rows of masses asks for. offby/kernels/masses.py mirrors it.
#pragma once
#include <cstdint>

enum OfMasses : int32_t { BEFORE, REACH, SCORE, SHORTEST };

struct MassesJob {
  const void* masses;     // rows times bins
  const double* numbers;  // rows times each; REACH, SHORTEST: shares of the mass, SCORE: true
                          // numbers
  const double* edges;    // SCORE, SHORTEST: of the bins, bins + 1 of them
  const double* widths;   // SCORE: of the bins; 0 of one that is not to be integrated over
  int64_t* at;            // rows times each; BEFORE: bins that are given, REACH: that are found
  double* start;          // rows times each: mass before the bin; SCORE: the integral;
                          // SHORTEST: the lower end of the interval
  double* end;            // rows times each: mass before the end of the bin; SHORTEST: the
                          // upper end
  double* total;          // rows: mass of all bins
  int64_t rows, bins, each;
  int32_t kind;
  int32_t single;         // the masses are float32, not float64
};
