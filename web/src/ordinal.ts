/** Losses of other people's papers: Brier score, CDW-CE and SLACE, at offby's defaults. */

import type { Ground } from "./grounds";
import type { Masses } from "./maths";

/** Value of a loss, and its slope in the mass of each class. */
export interface Slopes {
  value: number;
  weights: number[];
  /** Minus its slope in each logit, where the weights would lose its digits. */
  pushes?: number[];
}

const sum = (xs: number[]): number => xs.reduce((a, x) => a + x, 0);

/** Mass on all classes but one, summed: 1 - p would lose the digits of a small rest. */
const elsewhere = (p: number[]): number[] => p.map((_, j) => sum(p.filter((_, i) => i !== j)));

/** Squared error of the probabilities, of labels that come one at a time. */
export function brier({ p }: Masses, q: number[]): Slopes {
  const rest = elsewhere(p);
  const squares = sum(p.map((x) => x * x));
  const value = sum(q.map((share, y) => share && share * (squares - p[y] ** 2 + rest[y] ** 2)));
  const weights = p.map((mass, j) => sum(q.map((share, y) => (y === j ? 0 : 2 * share * (mass + rest[y])))));
  return { value, weights };
}

/** Squared error of the probabilities from a whole distribution. */
export function brierOfAll({ p }: Masses, q: number[]): Slopes {
  return { value: sum(p.map((mass, j) => (mass - q[j]) ** 2)), weights: p.map((mass, j) => 2 * (mass - q[j])) };
}

/** Class-distance-weighted cross-entropy: every wrong class is to be improbable. */
export function cdwCrossEntropy({ p }: Masses, q: number[], { cost }: Ground): Slopes {
  const rest = elsewhere(p);
  const away = cost.map((row) => sum(row.map((d, y) => (q[y] ? d * q[y] : 0))));
  const improbable = (j: number) => (p[j] > 0.5 ? Math.log(rest[j]) : Math.log1p(-p[j]));
  // What costs nothing may have all mass.
  const value = -sum(away.map((d, j) => (d ? d * improbable(j) : 0)));
  const weights = away.map((d, j) => (d ? d / rest[j] : 0));
  // Of a class with nearly all mass the weight is huge, and cancels: weight * rest = d.
  const pushes = p.map((mass, j) => -mass * (away[j] - sum(p.map((other, i) => (i === j ? 0 : other * weights[i])))));
  return { value, weights, pushes };
}

/** Distances that differ by no more are the same but for rounding. */
const SAME = 1 + 1e-9;

/** Soft labels, accumulating cross-entropy: how likely it is to be no farther off. */
export function slace({ p }: Masses, q: number[], { cost }: Ground): Slopes {
  let value = 0;
  const weights = p.map(() => 0);
  q.forEach((share, y) => {
    if (!share) return;
    const away = cost.map((row) => row[y]);
    const raised = away.map((d) => Math.exp(-d));
    const total = sum(raised);
    away.forEach((d, i) => {
      const near = away.map((other) => other <= d * SAME);
      if (near.every(Boolean)) return; // All mass is within the largest distance.
      const far = sum(p.filter((_, j) => !near[j]));
      const within = sum(p.filter((_, j) => near[j]));
      const label = (share * raised[i]) / total;
      value -= label * (far < 0.5 ? Math.log1p(-far) : Math.log(within));
      near.forEach((is, j) => {
        if (is) weights[j] -= label / within;
      });
    });
  });
  return { value, weights };
}
