/** The transport plan between a prediction and the truth, as ribbons. */

import { type Frame, middle, ordinal } from "./frame";
import type { Ground } from "./grounds";
import { plan, targetOf, type Truth } from "./maths";

interface FlowProps {
  name: string;
  ground: Ground;
  p: number[];
  truth: Truth;
  frame: Frame;
  from: number;
  to: number;
  bar: number;
}

/** Thinner ribbons are drawn this thick, and paler: so they keep their share of ink. */
const THREAD = 0.75;

/** The transport plan; the ink of a ribbon is its cost: mass times length. */
export function Flows({ name, ground, p, truth, frame, from, to, bar }: FlowProps) {
  const span = frame.width - frame.left - frame.right;
  const clip = `clip-${name.replace(/\W/g, "")}`;
  const thick = Math.max(bar, 16);
  const number = truth.kind === "number" ? frame.left + ordinal(ground.edges, truth.y) * frame.step : null;
  // Many bins and many labels make thousands of threads; the thin ones show nothing.
  const least = p.length > 12 ? 0.002 : 0.0005;
  // Side by side at both ends, in order: together they fill the block of the truth.
  const left = p.map((mass, i) => middle(frame, i) - (mass * thick) / 2);
  const q = targetOf(truth, ground);
  const right = q.map((share, j) => (number ?? middle(frame, j)) - (share * thick) / 2);
  const half = ground.labels.length / 2;
  const ribbons = plan(p, truth, ground).flatMap(({ from: i, to: j, mass }) => {
    const width = mass * thick;
    const start = (left[i] += width) - width / 2;
    const end = (right[j] += width) - width / 2;
    if (mass < least) return [];
    // On a circle the short way may lead over the edge: it leaves here and enters there.
    const turn = ground.kind === "circle" && Math.abs(j - i) > half ? (j > i ? -span : span) : 0;
    return (turn ? [0, -turn] : [0]).map((shift) => (
      <path
        key={`${i}-${j}-${shift}`}
        class={i === j ? "stays" : "goes"}
        stroke-width={Math.max(width, THREAD)}
        stroke-opacity={Math.min(Math.max(width / THREAD, 0.15), 1)}
        d={ribbon(start + shift, from, end + turn + shift, to)}
      />
    ));
  });
  return (
    <g class="flows" clip-path={`url(#${clip})`} role="img" aria-label={`${name}: where the mass must go`}>
      <clipPath id={clip}>
        <rect x={frame.left} y={from} width={span} height={to - from} />
      </clipPath>
      {ribbons}
    </g>
  );
}

function ribbon(x0: number, y0: number, x1: number, y1: number): string {
  const mid = (y0 + y1) / 2;
  return `M${x0.toFixed(1)} ${y0}C${x0.toFixed(1)} ${mid} ${x1.toFixed(1)} ${mid} ${x1.toFixed(1)} ${y1}`;
}
