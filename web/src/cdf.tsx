/** The two distribution functions on the true scale, with the area between them. */

import { scaleLinear } from "d3-scale";
import type { Ground } from "./grounds";
import { MEDIAN, sum, targetOf, type Truth } from "./maths";
import { path, type Curve } from "./shapes";
import { erf, erfc } from "./normal";
import { amount, brief } from "./text";

const HEIGHT = 132;

interface Props {
  ground: Ground;
  truth: Truth;
  predictions: { name: string; p: number[] }[];
  width: number;
}

export function Cdfs({ ground, truth, predictions, width }: Props) {
  if (ground.kind !== "line") return null;
  const pair = predictions.length > 1;
  const each = pair && width > 560 ? (width - 32) / 2 : width;
  return (
    <div class="cdfs">
      {predictions.map(({ name, p }) => (
        <Cdf key={name} {...{ name, p, ground, truth }} ends={seen(predictions.map((one) => one.p), targetOf(truth, ground), ground.edges)} width={each} pair={pair} />
      ))}
    </div>
  );
}

interface OneProps {
  name: string;
  p: number[];
  ground: Ground;
  truth: Truth;
  /** First and last place of the axis. */
  ends: [low: number, high: number];
  width: number;
  pair: boolean;
}

/** Steps of a distribution function: at positions, or a slope inside each bin. */
function curveOf(masses: number[], ground: Ground, low: number, high: number): Curve {
  let reached = 0;
  const curve: Curve = [[low, 0]];
  masses.forEach((mass, k) => {
    curve.push([ground.positions[k], reached], [ground.positions[k], (reached += mass)]);
  });
  return [...curve, [high, 1]];
}

/** Straight inside each bin; a tail is half of a normal distribution. */
function sloped(p: number[], { edges, tails: [lower, upper] }: Ground): Curve {
  const last = p.length - 1;
  const tail = (k: number, z: number) => ((edges[k + 1] - edges[k]) / MEDIAN) * Math.SQRT2 * z;
  const curve: Curve = lower
    ? [...OUT].reverse().map((z) => [edges[1] - tail(0, z), p[0] * erfc(z)])
    : [[edges[0], 0], [edges[1], p[0]]];
  let reached = p[0];
  for (let k = 1; k < last; k++) curve.push([edges[k + 1], (reached += p[k])]);
  if (upper) OUT.forEach((z) => curve.push([edges[last] + tail(last, z), reached + p[last] * erf(z)]));
  else curve.push([edges[last + 1], 1]);
  return curve;
}

/** Places along a tail, in standard deviations over the root of 2. */
const OUT = [0, 0.15, 0.3, 0.5, 0.7, 1, 1.4, 2, 3];
/** Mass of a bin from which a reader can see it. */
const SEEN = 0.002;

/** The part of the axis on which something is to be seen. */
function seen(ps: number[][], q: number[], edges: number[]): [low: number, high: number] {
  const bins = q.map((share, k) => share > SEEN || ps.some((p) => p[k] > SEEN));
  return [edges[Math.max(bins.indexOf(true), 0)], edges[bins.lastIndexOf(true) + 1]];
}

function Cdf({ name, p, ground, truth, ends: [low, high], width, pair }: OneProps) {
  const { positions } = ground;
  const left = 34;
  const x = scaleLinear([low, high], [left, width - 8]).clamp(true);
  const y = scaleLinear([0, 1], [HEIGHT - 24, 8]);
  const number = truth.kind === "number";
  const predicted = number ? sloped(p, ground) : curveOf(p, ground, low, high);
  const q = targetOf(truth, ground);
  const true_: Curve = number ? [[low, 0], [truth.y, 0], [truth.y, 1], [high, 1]] : curveOf(q, ground, low, high);
  const put = (curve: Curve): Curve => curve.map(([a, b]) => [x(a), b]);
  const between = `${path(put(predicted), y)}${path(put([...true_].reverse()), y).replace("M", "L")}Z`;
  const size = gapArea(p, q, positions);
  const ticks = x.ticks(Math.max(Math.floor(width / 90), 2));
  const words = number
    ? "the CRPS is the gap, squared, over the axis"
    : `the area between is ${amount(size)}${truth.kind === "noisy" ? "" : `, the Wasserstein distance${ground.trained ? " in the unit of the target" : ""}`}`;
  return (
    <figure class="cdf">
      <figcaption>
        {pair ? `${name}: ` : "Mass up to each place, predicted and true; "}
        {words}
      </figcaption>
      <svg viewBox={`0 0 ${width} ${HEIGHT}`} width={width} height={HEIGHT} role="img" aria-label={`${name}: distribution functions, ${words}`}>
        {[0, 0.5, 1].map((level) => (
          <g key={level}>
            <line class="grid" x1={left} x2={width - 8} y1={y(level)} y2={y(level)} />
            <text x={left - 6} y={y(level) + 4} style={{ textAnchor: "end" }}>{level === 0.5 ? ".5" : level}</text>
          </g>
        ))}
        <path class="between" d={between} />
        <path class="predicted" d={path(put(predicted), y)} />
        <path class="true" d={path(put(true_), y)} />
        {ticks.map((tick) => (
          <text key={tick} x={x(tick)} y={HEIGHT - 6}>{brief(tick)}</text>
        ))}
      </svg>
    </figure>
  );
}

function gapArea(p: number[], q: number[], positions: number[]): number {
  let [F, G] = [0, 0];
  return sum(
    positions.slice(1).map((x, k) => {
      F += p[k];
      G += q[k];
      return (x - positions[k]) * Math.abs(F - G);
    }),
  );
}
