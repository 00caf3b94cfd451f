// What one call of the kernel of soft targets asks for. offby/kernels/targets.py mirrors it.
#pragma once
#include <cstdint>

enum Target : int32_t { TWO_HOT, HL_GAUSS };

struct TargetsJob {
  const float* values;      // the true numbers
  const double* edges;      // of the bins, bins + 1 of them
  const double* sigma;      // HL_GAUSS: of each number; null: as `spread` and `widths` say
  float* masses;            // rows times bins
  int64_t rows, bins;
  double spread;            // sigma of all numbers
  double widths;            // not 0: sigma is so many widths of the number's own bin
  int32_t kind;
  int32_t even;             // all bins have one width
  int32_t wraps;            // the bins lie on a circle
  int32_t level;
};
