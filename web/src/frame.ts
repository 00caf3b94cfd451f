/** The axes of a figure: where bins lie, and how high masses reach. */



export interface Frame {
  width: number;
  left: number;
  right: number;
  /** Width of one bin's column. */
  step: number;
}

export function frameOf(width: number, k: number, margins: boolean): Frame {
  const [left, right] = margins ? [116, 96] : [0, 0];
  return { width, left, right, step: (width - left - right) / k };
}

export const middle = (frame: Frame, k: number): number => frame.left + (k + 0.5) * frame.step;

/** Where a number lies on an axis on which every bin is equally wide. */
export function ordinal(edges: number[], y: number): number {
  let k = 0;
  while (k < edges.length - 2 && edges[k + 1] <= y) k++;
  return k + Math.min(Math.max((y - edges[k]) / (edges[k + 1] - edges[k]), 0), 1);
}

export function fromOrdinal(edges: number[], x: number): number {
  const k = Math.min(Math.max(Math.floor(x), 0), edges.length - 2);
  return edges[k] + Math.min(Math.max(x - k, 0), 1) * (edges[k + 1] - edges[k]);
}

const DOMAINS = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1];

/** Top of the mass axis: one of few, so that the axis seldom moves. */
export function domainOf(p: number[]): number {
  const top = Math.max(...p);
  const least = p.length > 40 ? 0 : 0.25;
  return DOMAINS.find((d) => d >= least && d >= top * 0.98) ?? 1;
}
