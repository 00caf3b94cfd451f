/** Paths from points. */

export type Curve = [x: number, y: number][];

export const path = (curve: Curve, scale: (y: number) => number): string =>
  curve.map(([x, y], n) => `${n ? "L" : "M"}${x.toFixed(1)} ${scale(y).toFixed(1)}`).join("");
