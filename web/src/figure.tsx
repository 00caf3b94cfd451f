/** One prediction: its masses, where each must go, and the truth. */

import { drag } from "d3-drag";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { useEffect, useRef, useState } from "preact/hooks";
import { Dendrogram } from "./dendrogram";
import { Flows } from "./flows";
import { type Frame, middle } from "./frame";
import { type Ground, nClasses } from "./grounds";
import { barKey } from "./keys";
import { targetOf, type Truth } from "./maths";
import { carry, raise } from "./state";
import { brief, percent, short } from "./text";
import { TruthBand } from "./truth";

interface Props {
  name: string;
  ground: Ground;
  p: number[];
  truth: Truth;
  frame: Frame;
  compact: boolean;
  /** Mass at the top of the axis; two figures side by side share it. */
  domain: number;
  /** A drag holds the axis still. */
  onHold: (held: boolean) => void;
  onMasses: (p: number[]) => void;
  onTruth: (truth: Truth) => void;
}

export function Figure({ name, ground, p, truth, frame, compact, domain, onHold, onMasses, onTruth }: Props) {
  const k = nClasses(ground);
  const [chosen, setChosen] = useState(() => p.indexOf(Math.max(...p)));
  const hit = useRef<SVGRectElement>(null);
  const svg = useRef<SVGSVGElement>(null);
  const at = Math.min(chosen, k - 1);
  const q = targetOf(truth, ground);
  const trueBin = truth.kind === "one" || truth.kind === "number" ? q.indexOf(1) : -1;

  const top = 24;
  const barsHeight = compact ? 120 : 168;
  const base = top + barsHeight;
  const flowHeight = compact ? 50 : 64;
  const truthTop = base + flowHeight;
  const truthHeight = 26;
  const ticksTop = truthTop + truthHeight;
  const treeHeight = ground.kind === "tree" ? 64 : 0;
  const offHeight = trueBin >= 0 && frame.step >= 20 ? 20 : 0;
  const height = ticksTop + 24 + offHeight + treeHeight;

  const y = scaleLinear([0, domain], [base, top]);
  const bar = Math.max(frame.step * (k > 40 ? 0.98 : 0.74), 1);

  const focusBar = (to: number) => {
    setChosen(to);
    svg.current?.querySelector<SVGGElement>(`[data-bar="${to}"]`)?.focus({ preventScroll: true });
  };

  // The listeners of d3-drag are made once; they read the latest render from here.
  const latest = useRef({ p, frame, domain, barsHeight, k, onHold, onMasses, focusBar });
  latest.current = { p, frame, domain, barsHeight, k, onHold, onMasses, focusBar };
  useEffect(() => {
    if (!hit.current) return;
    let start = { x: 0, y: 0, bin: 0, p: [] as number[], way: "" };
    const binAt = (x: number) => {
      const { frame, k } = latest.current;
      return Math.min(Math.max(Math.floor((x - frame.left) / frame.step), 0), k - 1);
    };
    const behavior = drag<SVGRectElement, unknown>()
      .container(() => svg.current!)
      .on("start", (event) => {
        const { p, focusBar, onHold } = latest.current;
        start = { x: event.x, y: event.y, bin: binAt(event.x), p: [...p], way: "" };
        focusBar(start.bin);
        onHold(true);
      })
      .on("drag", (event) => {
        const { frame, domain, barsHeight, onMasses, focusBar } = latest.current;
        const [dx, dy] = [event.x - start.x, event.y - start.y];
        if (!start.way && Math.hypot(dx, dy) < 4) return;
        // The first few pixels decide; a drag that wanders keeps its meaning.
        start.way ||= Math.abs(dx) > Math.abs(dy) ? "sideways" : "up";
        if (start.way === "up") {
          onMasses(raise(start.p, start.bin, start.p[start.bin] - (dy / barsHeight) * domain));
        } else {
          const to = start.bin + dx / frame.step;
          onMasses(carry(start.p, start.bin, to, start.p[start.bin]));
          focusBar(binAt(event.x));
        }
      })
      .on("end", () => latest.current.onHold(false));
    select(hit.current).call(behavior);
  }, []);

  const onBarKey = (event: KeyboardEvent, bin: number) => {
    const act = barKey(event, p, bin, k);
    if (!act) return;
    event.preventDefault();
    if (act.p) onMasses(act.p);
    if (act.to !== undefined) focusBar(act.to);
    if (act.truth) onTruth({ kind: "one", at: bin });
  };

  const marginal = frame.left > 0;
  return (
    <svg
      ref={svg}
      class="figure"
      viewBox={`0 0 ${frame.width} ${height}`}
      width={frame.width}
      height={height}
      role="group"
      aria-label={`${name}: mass of each bin, and where it must go`}
    >
      <Column frame={frame} bin={trueBin} from={top - 18} to={ticksTop + 22 + offHeight} />
      <line class="axis" x1={frame.left} x2={frame.width - frame.right} y1={base} y2={base} />
      <Flows ground={ground} p={p} truth={truth} frame={frame} from={base} to={truthTop} bar={bar} name={name} />
      {p.map((mass, bin) => (
        <g
          key={bin}
          class={`bar${bin === at ? " chosen" : ""}`}
          data-bar={bin}
          role="slider"
          tabindex={bin === at ? 0 : -1}
          aria-label={`${name}, mass of ${ground.labels[bin]}`}
          aria-orientation="vertical"
          aria-valuemin={0}
          aria-valuemax={1}
          aria-valuenow={Number(mass.toFixed(4))}
          aria-valuetext={percent(mass)}
          onKeyDown={(event) => onBarKey(event, bin)}
          onFocus={() => setChosen(bin)}
        >
          <rect class="focus" x={frame.left + bin * frame.step} y={top - 20} width={frame.step} height={base - top + 22} rx={4} />
          <rect
            class="mass"
            x={middle(frame, bin) - bar / 2}
            y={Math.max(y(mass), 2)}
            width={bar}
            height={Math.max(base - Math.max(y(mass), 2), 0.5)}
            rx={Math.min(3, bar / 4)}
          />
          {(frame.step >= 24 || bin === at) && (
            <text class="value" x={middle(frame, bin)} y={Math.max(y(mass), 16) - 5}>
              {short(mass)}
            </text>
          )}
        </g>
      ))}
      <rect ref={hit} class="hit" x={frame.left} y={0} width={frame.width - frame.left - frame.right} height={base + 6} />
      <TruthBand {...{ name, ground, truth, q, frame, bar, onTruth }} top={truthTop} height={truthHeight} />
      <g class="ticks" aria-hidden="true">
        {fitting(ticksOf(ground, frame), frame).map(({ text, x }) => (
          <text key={x} x={x} y={ticksTop + 16}>
            {text}
          </text>
        ))}
        {offHeight > 0 && (
          <g class="off">
            {fitting(ground.cost[trueBin].map((d, bin) => ({ text: bin === trueBin ? "true" : short(d), x: middle(frame, bin) })), frame).map(({ text, x }) => (
              <text key={x} x={x} y={ticksTop + 35}>
                {text}
              </text>
            ))}
          </g>
        )}
      </g>
      {treeHeight > 0 && <Dendrogram ground={ground} frame={frame} top={ticksTop + 26 + offHeight} height={treeHeight - 6} />}
      {ground.kind === "circle" && <Wrap frame={frame} from={base} to={truthTop + truthHeight} />}
      {marginal && (
        <g class="legend" aria-hidden="true">
          <text x={0} y={base - 8}>predicted mass</text>
          <text x={0} y={base + flowHeight / 2 + 4}>must go to</text>
          <text x={0} y={truthTop + 17}>the truth</text>
          {offHeight > 0 && <text x={0} y={ticksTop + 35}>off by</text>}
        </g>
      )}
    </svg>
  );
}

/** A tail has no end: its outer edge is where half of it lies within. */
function edgeName({ tails: [lower, upper], edges }: Ground, e: number, edge: number): string {
  if (e === 0 && lower) return "\u2212∞";
  return e === edges.length - 1 && upper ? "∞" : brief(edge);
}

interface Label {
  text: string;
  x: number;
}

/** Names of the classes, or of the edges between bins. */
const ticksOf = (ground: Ground, frame: Frame): Label[] =>
  ground.ticks === "edges"
    ? ground.edges.map((edge, e) => ({ text: edgeName(ground, e, edge), x: frame.left + e * frame.step }))
    : ground.labels.map((text, bin) => ({ text, x: middle(frame, bin) }));

/** The labels that fit side by side, from the left. */
function fitting(labels: Label[], frame: Frame): Label[] {
  const shortened = labels.map(({ text, x }) => ({ text: text.length > 14 ? `${text.slice(0, 13)}…` : text, x }));
  let free = -Infinity;
  return shortened.flatMap(({ text, x }) => {
    const half = text.length * 3.6;
    // The outermost may reach a little into the margin of the page.
    const out = frame.step < 30 ? 6 : 14;
    const at = Math.min(Math.max(x, half - out), frame.width - half + out);
    if (at - half < free) return [];
    // Many labels need air between them to be read as single ones.
    free = at + half + (frame.step < 16 ? 10 : 2);
    return [{ text, x: at }];
  });
}

/** Both ends of a circle: what leaves on one side comes in on the other. */
function Wrap({ frame, from, to }: { frame: Frame; from: number; to: number }) {
  return (
    <g class="wrap" aria-hidden="true">
      {[frame.left, frame.width - frame.right].map((x) => (
        <line key={x} x1={x} x2={x} y1={from} y2={to} />
      ))}
    </g>
  );
}

function Column({ frame, bin, from, to }: { frame: Frame; bin: number; from: number; to: number }) {
  if (bin < 0) return null;
  return <rect class="column" x={frame.left + bin * frame.step} y={from} width={frame.step} height={to - from} rx={5} />;
}
