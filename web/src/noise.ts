/** A loss under noise in the bin edges and in the target. */

import { moved, type Ground } from "./grounds";
import { judge, sum, type Loss } from "./maths";

export interface Spread {
  mean: number;
  sd: number;
}

const DRAWS = 400;

/** Uniform numbers, the same on every machine (mulberry32). */
function uniforms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Inner edges moved by up to `scale` of the narrower of their two bins. */
export function jitter(edges: number[], scale: number, uniform: () => number): number[] {
  return edges.map((edge, k) => {
    if (k === 0 || k === edges.length - 1) return edge;
    const room = Math.min(edge - edges[k - 1], edges[k + 1] - edge);
    return edge + (1 - 1e-9) * scale * room * (2 * uniform() - 1);
  });
}

/** The loss of one prediction over 400 draws of edges and target.
 *
 * `edgeNoise` is a share of a bin (0 to 0.5), `targetNoise` a standard deviation in
 * the units of the target.
 */
export function underNoise(
  loss: Loss,
  logits: number[],
  y: number,
  ground: Ground,
  edgeNoise: number,
  targetNoise: number,
): Spread {
  const uniform = uniforms(7);
  const values = Array.from({ length: DRAWS }, () => {
    // The center of a bin moves with its edges; a class stays where it is.
    const there = moved(ground, jitter(ground.edges, edgeNoise, uniform));
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const shift = targetNoise * radius * Math.cos(2 * Math.PI * uniform());
    return judge(loss, logits, { kind: "number", y: y + shift }, there).value;
  });
  const mean = sum(values) / DRAWS;
  const sd = Math.sqrt(sum(values.map((v) => (v - mean) ** 2)) / DRAWS);
  return { mean, sd };
}
