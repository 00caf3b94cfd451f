/** Gradient descent on the logits: where a loss takes a prediction, and how fast. */

import { judged, largest, type Ground } from "./grounds";
import { judge, softmax, type Loss, type Truth } from "./maths";

export const MOST_STEPS = 2 ** 17;

/** Losses that are steep by themselves, not by the unit of the distances. */
const UNITLESS = new Set(["ce", "nll", "brier", "slace"]);

/** Step size: one over the steepest a loss can be, so that its unit favors none. */
export function stepSize(loss: Loss, ground: Ground): number {
  const far = largest(judged(ground)) || 1;
  const steepest = loss.map(([factor, name]) =>
    factor * (UNITLESS.has(name) ? 1 : far),
  );
  return 1 / (steepest.reduce((a, x) => a + x, 0) || 1);
}

/** Logits after `steps` more steps of plain gradient descent. */
export function descend(
  loss: Loss,
  logits: number[],
  truth: Truth,
  ground: Ground,
  steps: number,
): number[] {
  const size = stepSize(loss, ground);
  let z = [...logits];
  for (let n = 0; n < steps; n++) {
    const { pushes } = judge(loss, z, truth, ground);
    // It has come to rest: all steps that are left together would not be seen.
    if (pushes.every((push) => Math.abs(size * push) < 1e-10)) break;
    z = z.map((x, j) => x + size * pushes[j]);
  }
  return z;
}

export interface Track {
  loss: Loss;
  logits: number[];
  steps: number;
  /** First step at which half the mass lies on the true class. */
  arrived: number | null;
}

/** A run that remembers where it is, so that going on costs only the new steps. */
export function advance(track: Track, at: number | null, truth: Truth, ground: Ground, to: number): Track {
  let { logits, steps, arrived } = track;
  while (steps < to) {
    // Few steps at a time until it has arrived: then the step is known exactly.
    const some = arrived === null && at !== null ? 1 : to - steps;
    logits = descend(track.loss, logits, truth, ground, some);
    steps += some;
    if (arrived === null && at !== null && softmax(logits).p[at] >= 0.5) arrived = steps;
  }
  return { ...track, logits, steps, arrived };
}
