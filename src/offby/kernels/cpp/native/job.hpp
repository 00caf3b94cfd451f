// What one call asks for. offby/kernels/_library.py mirrors `Job`, field by field.
#pragma once
#include <cstddef>
#include <cstdint>

enum Term { CROSS_ENTROPY, WASSERSTEIN, SQUARED_EMD, CUMULATIVE, CRPS, TREE, N_TERMS };
// The terms that a loop is compiled for, as bits; ANY: those of the job, looked up.
constexpr unsigned ANY = 1u << N_TERMS;
enum Dtype : int32_t { FLOAT32, BFLOAT16, FLOAT64 };

// Rows of classes lie at  logits + i * outer_stride + j * inner_stride + k * class_stride,
// i < outer, j < inner, k < classes. Either class_stride or inner_stride is 1 (or inner is 1).
struct Job {
  const void* logits;
  void* gradient;           // null: the loss alone
  void* loss;               // float, or double for FLOAT64; null: the gradient alone
  const int64_t* index;     // true classes; null if only `value` is asked for
  const double* value;      // true numbers, for CRPS
  const double* positions;  // of the classes; null: 0, 1, 2, ...
  const double* edges;      // of the bins, classes + 1 of them
  const void* upstream;     // one number per row, of the loss's type; null: `scale`
  const int64_t* order;     // of a tree: the classes as they lie along its leaves
  const int64_t *start, *end;  // of each cut: the run of leaves below it
  const double* weights;    // of each cut
  int64_t outer, inner, classes, cuts;
  int64_t logits_outer, logits_inner, logits_class;
  int64_t gradient_outer, gradient_inner, gradient_class;
  double factor[N_TERMS];
  double power;             // of the distance, for WASSERSTEIN
  double scale;             // of the gradient
  int32_t dtype;
  int32_t level;            // instruction set, index into the names of `offby_levels`
};

template <unsigned Terms> inline bool asks(const Job& job, Term term) {
  return Terms == ANY ? job.factor[term] != 0 : Terms >> term & 1;
}
// Whether the job has no other terms than these, and all of them.
template <unsigned Terms> inline bool just(const Job& job) {
  for (int t = 0; t < N_TERMS; t++)
    if ((job.factor[t] != 0) != bool(Terms >> t & 1)) return false;
  return true;
}

// Numbers about the classes, in the type the loops compute in. All are padded with zeros:
// 64 behind, and gap and width 64 in front.
template <class C> struct Ground {
  const C* gap;              // to the next class
  C step;                    // that of all of them; 0 if they differ
  const C *place, *crumb;    // position = place + crumb: together exact, also in float
  bool whole;                // no crumbs
  const C* width;            // of the bin
};

// The cuts of a tree as nodes, each behind the one around it. Node 0 holds all classes and
// is no cut.
struct Forest {
  int64_t nodes;
  const int32_t* parent;
  const int32_t *start, *end;  // the run of ranks below each node
  const double* weight;
  const int32_t* leaf;       // of each class: the lowest node that holds it
  const int32_t* rank;       // of each class: its place in the order
};

struct Task {
  const Job* job;
  Ground<float> single;
  Ground<double> twice;
  Forest forest;
  int64_t lanes;             // rows to a unit: 1, or as many as a vector has lanes
  int64_t groups;            // units to one `outer`
  double rate;               // bins to a unit of `edges`, if they are about even; else 0
};
