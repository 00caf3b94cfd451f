// The terms of the loss for as many rows at once as a vector has lanes: lanes are rows, loops
// run over the classes. float32; the formulas are those of row_terms.hpp.
#pragma once
#include "row_terms.hpp"
#include "turn.hpp"

namespace OFFBY_LEVEL {

// What the terms of a block have in common. Arrays hold K vectors.
template <unsigned Terms> struct Block {
  const Job& job;
  const Ground<float>& ground;
  const Forest& forest;
  int64_t K;
  M y;
  float *e, *h, *a;
  V place{}, crumb{};  // of the truth
  V ey{}, Z{}, iZ{};  // mass of the truth, which e holds only for CRPS and CUMULATIVE; of all
  // Lanes where a wrong class holds most of the mass, and which.
  M sure{}, mode{};
  bool some_sure = false;
  // Slopes are 0 on the truth, in `sure` lanes on the mode, but for CRPS and CUMULATIVE.
  V hy{}, mu{}, loss{};  // slope on the truth, mean of all

  // What is in h is to be added to `offset` and multiplied by `times`. To it comes `far`
  // times the distance to the power of the job.
  bool fresh = true;
  V offset{}, times = all(1.f);
  // Or, for the classes up to the mode, to `upto_mode`.
  bool two_sides = false;
  V upto_mode{};
  float far = 0;

  // Then a number of one class is told from the others by comparing.
  bool few() const { return K <= 32; }
  M true_class(int64_t k) const { return all(int32_t(k)) == y; }
  M left_of_truth(int64_t k) const { return all(int32_t(k)) < y; }
  V offset_at(int64_t k) const {
    return two_sides ? select(all(int32_t(k)) <= mode, upto_mode, offset) : offset;
  }
  V slopes(int64_t k) const {
    V v = fresh ? V{} : times * (offset_at(k) + load(h + k * n));
    if (asks<Terms>(job, WASSERSTEIN) && far != 0) v += far * power_of(distance(k));
    return v;
  }
  void settle() {
    if (fresh && far == 0) return;
    for (int64_t k = 0; k < K; k++) store(h + k * n, slopes(k));
    offset = V{};
    two_sides = false;
    times = all(1.f);
    fresh = false;
    far = 0;
  }
  // Of each lane the number of another class.
  V at_class(const float* numbers, M at) const {
    if (few()) {
      V found{};
      M class_k{};
      for (int64_t k = 0; k < K; k++, class_k += 1)
        found = select(class_k == at, load(numbers + k * n), found);
      return found;
    }
    Gathered<float> found;
    for (int i = 0; i < n; i++) found[i] = numbers[at[i] * n + i];
    return load(found);
  }
  V apart(int64_t k, V place, V crumb) const {
    V v = ground.place[k] - place;
    return ground.whole ? v : v + (ground.crumb[k] - crumb);
  }
  V distance(int64_t k) const { return magnitude(apart(k, place, crumb)); }
  V power_of(V c) const { return job.power == 1 ? c : c * c; }

  void find_modes() {
    some_sure = any(sure);
    if (!some_sure) return;
    M class_k{};
    for (int64_t k = 0; k < K; k++, class_k += 1)
      mode = select(load(e + k * n) == all(1.f), class_k, mode);
    mode = select(sure, mode, y);
  }

  // `rest`: all mass but that of the truth.
  void squared_emd(float factor, V rest) {
    if (some_sure) squared_emd_of<true>(factor, rest);
    else squared_emd_of<false>(factor, rest);
  }
  template <bool Sure> void squared_emd_of(float factor, V rest) {
    Running<V> F, B, squares;
    const V minus = -rest;
    const float* gap = ground.gap;  // in a register: a store of floats might change it
    V at_truth{}, at_mode{};
    // Beside a mode sums that hold its mass would leave small differences of large numbers. The
    // slopes start again on it; so does the mass if what is right of here is asked for.
    const M again = select(sure, mode, all(int32_t(-1)));
    const M right = select(mode > y, again, all(int32_t(-1)));
    V beyond{};
    if constexpr (Sure) {
      Running<V> masses;
      for (int64_t k = 0; k < K; k++) {
        masses.recent += select(all(int32_t(k)) > mode, load(e + k * n), V{});
        if (k % 32 == 31) masses.move();
      }
      beyond = -masses.value();
    }
    M class_k{};
    for (int64_t k = 0; k < K; k++, class_k += 1) {
      // Mass up to here, from the truth on less all of it: minus what is right of here. What
      // is lost by the difference is small beside the rest, whose slopes are the largest.
      const M eq = class_k == y;
      F.recent += select(eq, minus, load(e + k * n));
      if constexpr (Sure) {
        const M here = class_k == right;
        F.moved = select(here, V{}, F.moved);
        F.recent = select(here, beyond, F.recent);
      }
      V mass = F.value(), before = B.value();
      store(h + k * n, before);
      at_truth = select(eq, before, at_truth);
      if constexpr (Sure) {
        const M here = class_k == again;
        at_mode = select(here, before, at_mode);
        B.moved = select(here, V{}, B.moved);
        B.recent = select(here, V{}, B.recent);
      }
      V f = gap[k] * mass;
      squares.recent += f * mass;
      B.recent += f;
      if (k % 32 == 31) F.move(), B.move(), squares.move();
    }
    // Rising to the truth, falling from it: the slopes upside down, but for the constant.
    fresh = false;
    times = -2 * factor * iZ;
    V value = squares.value() * iZ * iZ, mean = 2 * factor * value;
    offset = -at_truth;
    loss += factor * value;
    if constexpr (Sure) {
      two_sides = true;
      upto_mode = select(sure, -at_mode, offset);
      offset = select(sure, V{}, offset);
      V slope = times * (at_truth + select(y <= mode, upto_mode, offset));
      Running<V> sums;
      for (int64_t k = 0; k < K; k++) {
        sums.recent += load(e + k * n) * (load(h + k * n) + offset_at(k));
        if (k % 32 == 31) sums.move();
      }
      hy += slope;
      mean = select(sure, iZ * (times * sums.value() + ey * slope), mean);
    }
    mu += mean;
  }

  // As in row_terms.hpp.
  void tree(float factor, const Gathered<int32_t>& rank, const Gathered<int32_t>& leaf) {
    const Forest& in = forest;
    const int64_t nodes = in.nodes;
    const M there = load(rank);
    thread_local Memory memory;
    float* far = (float*)memory.of(3 * nodes * n * sizeof(float));
    float *mass = far + nodes * n, *slope = mass + nodes * n;
    auto on_way = [&](int64_t i) { return (all(in.start[i]) <= there) & (there < all(in.end[i])); };
    auto add = [](float* to, V v) { store(to, load(to) + v); };
    settle();
    for (int64_t i = 0; i < nodes; i++) store(far + i * n, V{});
    for (int64_t k = 0; k < K; k++) add(far + in.leaf[k] * n, load(e + k * n));
    for (int64_t i = nodes - 1; i > 0; i--)
      add(far + in.parent[i] * n, select(on_way(i), V{}, load(far + i * n)));
    Running<V> squares, mean;
    store(mass, V{});
    store(slope, V{});
    for (int64_t i = 1; i < nodes; i++) {
      const int64_t up = in.parent[i] * n;
      M way = on_way(i);
      V m = select(way, load(mass + up) + load(far + up), load(far + i * n));
      V f = float(in.weight[i]) * m;
      store(mass + i * n, m);
      squares.recent += f * m;
      store(slope + i * n, load(slope + up) + select(way, -f, f));
      if (i % 32 == 0) squares.move();
    }
    Gathered<float> found;
    for (int i = 0; i < n; i++) found[i] = slope[leaf.numbers[i] * n + i];
    V at_truth = load(found), origin = select(2 * ey > Z, at_truth, V{}), c = 2 * factor * iZ;
    for (int64_t k = 0; k < K; k++) {
      V v = load(slope + in.leaf[k] * n) - origin;
      mean.recent += load(e + k * n) * v;
      store(h + k * n, slopes(k) + c * v);
      if (k % 32 == 31) mean.move();
    }
    hy += c * (at_truth - origin);
    fresh = false;
    loss += factor * squares.value() * iZ * iZ;
    mu += c * iZ * (mean.value() + ey * (at_truth - origin));
  }

  void wasserstein(float factor) {
    const bool plain = job.power == 1 || job.power == 2;
    if (some_sure || !plain) settle();
    Running<V> total, mean;
    V o{}, oc{};
    if (some_sure) {
      Gathered<float> places, crumbs;
      for (int i = 0; i < n; i++) {
        places[i] = ground.place[mode[i]];
        crumbs[i] = ground.crumb[mode[i]];
      }
      o = load(places), oc = load(crumbs);
    }
    const V away = (o - place) + (oc - crumb);
    // Distance to the truth less that of the mode: on the side of the mode what lies
    // between the two, for there the distances may be large and nearly the same.
    auto nearer = [&](int64_t k) {
      V s = apart(k, place, crumb), beside = apart(k, o, oc);
      V c = select(s * away < V{}, magnitude(s) - magnitude(away), select(away < V{}, -beside, beside));
      return job.power == 1 ? c : c * (magnitude(s) + magnitude(away));
    };
    for (int64_t k = 0; k < K; k++) {
      V c = distance(k), p = load(e + k * n);
      c = plain ? power_of(c) : raised(c, job.power);
      total.recent += p * c;
      if (some_sure && plain) {
        V v = nearer(k);
        mean.recent += p * v;
        store(h + k * n, slopes(k) + factor * select(sure, v, c));
      } else if (!plain) store(h + k * n, slopes(k) + factor * c);
      if (k % 32 == 31) total.move(), mean.move();
    }
    V value = factor * total.value() * iZ;
    loss += value;
    if (some_sure || !plain) fresh = false;
    else far = factor;
    if (some_sure && plain) {
      V slope = -factor * power_of(magnitude(away));
      hy += slope;
      value = select(sure, iZ * (factor * mean.value() + ey * slope), value);
    }
    mu += value;
  }

  void crps(float factor, M t, V share, V outside) {
    Running<V> F, sums, squares;
    V inner{}, mass_below{}, mass_above{};
    settle();
    for (int64_t k = 0; k < K; k++) {
      V m = load(e + k * n), w = all(ground.width[k]);
      M here = all(int32_t(k)) == t, lower = all(int32_t(k)) < t;
      mass_below = select(here, inner, mass_below);
      V outer = inner;
      F.recent += m;
      inner = F.value();
      w = select(lower, w, V{});
      V both = outer + inner;
      squares.recent += w * (outer * both + inner * inner);
      sums.recent += w * both;
      store(a + k * n, w * (1.f / 3) * (both + inner) - sums.value());
      if (k % 32 == 31) F.move(), sums.move(), squares.move();
    }
    const V left = sums.value();
    F = sums = {};
    inner = V{};
    for (int64_t k = K - 1; k >= 0; k--) {
      V m = load(e + k * n), w = all(ground.width[k]);
      M here = all(int32_t(k)) == t, higher = all(int32_t(k)) > t;
      mass_above = select(here, inner, mass_above);
      V outer = inner;
      F.recent += m;
      inner = F.value();
      w = select(higher, w, V{});
      V both = outer + inner;
      squares.recent += w * (outer * both + inner * inner);
      sums.recent += w * both;
      V other = w * (1.f / 3) * (both + inner) - sums.value();
      store(a + k * n, select(higher, other, load(a + k * n)));
      if (k % 32 == 0) F.move(), sums.move(), squares.move();
    }
    const V right = sums.value();
    Gathered<float> widths;
    for (int i = 0; i < n; i++) widths[i] = ground.width[t[i]];
    const V et = at_class(e, t), wt = load(widths);
    V s = share, l = wt * s, r = wt * (1 - s);
    V lower_end = mass_below + et * s, upper_end = mass_above + et * (1 - s);
    V ht = (l * s * (mass_below + 2 * lower_end) + r * (1 - s) * (mass_above + 2 * upper_end)) *
           (1.f / 3);
    V from_left = left + l * (mass_below + lower_end) - ht;
    V from_right = right + r * (mass_above + upper_end) - ht;
    V at_bin{};
    if (some_sure) {
      // From the bin of the truth to the mode; the sums on its side start at the far end.
      V at = at_class(a, mode), other = select(mode < t, from_left, from_right);
      M moved = sure & (mode != t);
      at_bin = select(moved, -(at + other), V{});
      from_left = select(moved, from_left - other - at, from_left);
      from_right = select(moved, from_right - other - at, from_right);
    }
    V c = factor * iZ;
    Running<V> mean;
    for (int64_t k = 0; k < K; k++) {
      M lower = all(int32_t(k)) < t, here = all(int32_t(k)) == t;
      V v = c * select(here, at_bin, load(a + k * n) + select(lower, from_left, from_right));
      mean.recent += load(e + k * n) * v;
      if (k % 32 == 31) mean.move();
      hy = select(true_class(k), hy + v, hy);
      store(h + k * n, slopes(k) + v);
    }
    fresh = false;
    mu += mean.value() * iZ;
    V whole = squares.value() + l * (mass_below * mass_below + mass_below * lower_end + lower_end * lower_end) +
              r * (mass_above * mass_above + mass_above * upper_end + upper_end * upper_end);
    loss += factor * (whole * iZ * iZ * (1.f / 3) + outside);
  }

  // Lanes whose right side is too light for float32. Masses with the true class, from here on.
  M cumulative(float factor) {
    settle();
    Running<V> P;
    for (int64_t k = 0; k < K; k++) {
      P.recent += load(e + k * n);
      store(a + k * n, P.value());
      if (k % 32 == 31) P.move();
    }
    V lightest = all(std::numeric_limits<float>::max());
    Running<V> tail, left, right, total;
    Logs logs;
    auto cut = [&](int64_t k) {
      tail.recent += load(e + (k + 1) * n);
      M lt = left_of_truth(k);
      V below = load(a + k * n), above = tail.value();
      V wrong = select(lt, below, above), other = select(lt, above, below);
      lightest = lesser(other, lightest);
      V ratio = quotient(wrong, other), v = ground.gap[k] * ratio;
      left.recent += select(lt, v, V{});
      right.recent += select(lt, V{}, v);
      store(a + k * n, select(lt, v, right.value()));
      if (k % 32 == 0) tail.move(), left.move(), right.move(), total.move();
      return ratio;
    };
    if (ground.step != 0) {
      for (int64_t k = K - 2; k >= 0; k--) logs.add(cut(k));
      logs.move();
      total.recent = ground.step * logs.total;
    } else {
      for (int64_t k = K - 2; k >= 0; k--) total.recent += ground.gap[k] * log_of_one_and(cut(k));
    }
    const V value = total.value(), on_left = left.value(), on_right = right.value();
    Running<V> before;
    for (int64_t k = 0; k < K; k++) {
      M lt = left_of_truth(k), eq = true_class(k);
      V held = k + 1 < K ? load(a + k * n) : V{};
      V light = select(lt | eq, on_right + before.value(), on_left + held);
      before.recent += select(lt, held, V{});
      if (k % 32 == 31) before.move();
      store(h + k * n, slopes(k) + factor * (distance(k) - light));
    }
    fresh = false;
    hy -= factor * (on_left + on_right);
    loss += factor * value;
    return ~((lightest > 1e-25f * Z) & (value == value)) & (Z == Z);
  }
};

}  // namespace OFFBY_LEVEL
