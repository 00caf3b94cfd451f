/** One prediction: its masses, where each must go, and the truth. */

import { drag } from "d3-drag";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { useEffect, useRef, useState } from "preact/hooks";
import { nClasses, plain, type Ground } from "./grounds";
import { plan, targetOf, type Truth } from "./maths";
import { carry, raise } from "./state";
import { percent, short } from "./text";

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

function fromOrdinal(edges: number[], x: number): number {
  const k = Math.min(Math.max(Math.floor(x), 0), edges.length - 2);
  return edges[k] + Math.min(Math.max(x - k, 0), 1) * (edges[k + 1] - edges[k]);
}

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

const DOMAINS = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1];

/** Top of the mass axis: one of few, so that the axis seldom moves. */
export function domainOf(p: number[]): number {
  const top = Math.max(...p);
  const least = p.length > 40 ? 0 : 0.25;
  return DOMAINS.find((d) => d >= least && d >= top * 0.98) ?? 1;
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
        {fitting(ground, frame).map(({ text, x }) => (
          <text key={x} x={x} y={ticksTop + 16}>
            {text}
          </text>
        ))}
        {offHeight > 0 && (
          <g class="off">
            {ground.cost[trueBin].map((d, bin) => (
              <text x={middle(frame, bin)} y={ticksTop + 35}>
                {bin === trueBin ? "true" : short(d)}
              </text>
            ))}
          </g>
        )}
      </g>
      {treeHeight > 0 && <Dendrogram ground={ground} frame={frame} top={ticksTop + 26 + offHeight} height={treeHeight - 6} />}
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

interface Act {
  p?: number[];
  to?: number;
  truth?: boolean;
}

/** What a key does on a bar. */
function barKey(event: KeyboardEvent, p: number[], bin: number, k: number): Act | null {
  const next = (by: number) => Math.min(Math.max(bin + by, 0), k - 1);
  switch (event.key) {
    case "ArrowUp":
      return { p: raise(p, bin, p[bin] + 0.01) };
    case "ArrowDown":
      return { p: raise(p, bin, p[bin] - 0.01) };
    case "PageUp":
      return { p: raise(p, bin, p[bin] + 0.1) };
    case "PageDown":
      return { p: raise(p, bin, p[bin] - 0.1) };
    case "Home":
      return { p: raise(p, bin, 0) };
    case "End":
      return { p: raise(p, bin, 1) };
    case "ArrowLeft":
    case "ArrowRight": {
      const to = next(event.key === "ArrowLeft" ? -1 : 1);
      return event.shiftKey ? { p: carry(p, bin, to, 0.05), to: bin } : { to };
    }
    case "t":
    case "Enter":
      return { truth: true };
  }
  return null;
}

/** The labels that fit side by side, from the left. */
function fitting(ground: Ground, frame: Frame): { text: string; x: number }[] {
  const labels =
    ground.ticks === "edges"
      ? ground.edges.map((edge, e) => ({ text: plain(edge), x: frame.left + e * frame.step }))
      : ground.labels.map((text, bin) => ({ text, x: middle(frame, bin) }));
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

function Column({ frame, bin, from, to }: { frame: Frame; bin: number; from: number; to: number }) {
  if (bin < 0) return null;
  return <rect class="column" x={frame.left + bin * frame.step} y={from} width={frame.step} height={to - from} rx={5} />;
}

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
function Flows({ name, ground, p, truth, frame, from, to, bar }: FlowProps) {
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

interface BandProps {
  name: string;
  ground: Ground;
  truth: Truth;
  q: number[];
  frame: Frame;
  bar: number;
  top: number;
  height: number;
  onTruth: (truth: Truth) => void;
}

/** The truth: one block, hanging bars of a distribution, or a pin at a number. */
function TruthBand({ name, ground, truth, q, frame, bar, top, height, onTruth }: BandProps) {
  const k = nClasses(ground);
  const hit = useRef<SVGRectElement>(null);
  const group = useRef<SVGGElement>(null);
  const [chosen, setChosen] = useState(0);
  const spread = truth.kind === "noisy" || truth.kind === "soft";
  const most = spread ? Math.max(...q) : 1;

  const focusOne = (bin: number) => {
    setChosen(bin);
    const one = group.current?.querySelector<SVGGElement>(spread ? `[data-truth="${bin}"]` : "[data-truth]");
    one?.focus({ preventScroll: true });
  };
  const latest = useRef({ truth, q, frame, ground, k, onTruth, focusOne });
  latest.current = { truth, q, frame, ground, k, onTruth, focusOne };
  useEffect(() => {
    if (!hit.current) return;
    let start = { y: 0, bin: 0, q: [] as number[] };
    const move = (event: { x: number; y: number }) => {
      const { truth, frame, ground, k, onTruth } = latest.current;
      const place = (event.x - frame.left) / frame.step;
      if (truth.kind === "one") onTruth({ kind: "one", at: Math.min(Math.max(Math.floor(place), 0), k - 1) });
      else if (truth.kind === "number") onTruth({ kind: "number", y: Number(fromOrdinal(ground.edges, place).toPrecision(6)) });
      else onTruth({ kind: truth.kind, q: raise(start.q, start.bin, start.q[start.bin] + (event.y - start.y) / 60) });
    };
    const behavior = drag<SVGRectElement, unknown>()
      .container(() => group.current!.ownerSVGElement!)
      .on("start", (event) => {
        const { q, frame, k, focusOne, truth } = latest.current;
        const bin = Math.min(Math.max(Math.floor((event.x - frame.left) / frame.step), 0), k - 1);
        start = { y: event.y, bin, q: [...q] };
        focusOne(bin);
        if (truth.kind === "one" || truth.kind === "number") move(event);
      })
      .on("drag", move);
    select(hit.current).call(behavior);
  }, []);

  const step = (event: KeyboardEvent): number => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5, Home: -Infinity, End: Infinity }[event.key] ?? 0;
    if (by) event.preventDefault();
    return by;
  };
  const onOneKey = (event: KeyboardEvent) => {
    const by = step(event);
    if (!by) return;
    if (truth.kind === "one") onTruth({ kind: "one", at: Math.min(Math.max(truth.at + by, 0), k - 1) });
    if (truth.kind === "number") {
      const place = Math.min(Math.max(ordinal(ground.edges, truth.y) + by * 0.1, 0), k);
      onTruth({ kind: "number", y: Number(fromOrdinal(ground.edges, place).toPrecision(6)) });
    }
  };
  const onShareKey = (event: KeyboardEvent, bin: number) => {
    const act = barKey(event, q, bin, k);
    if (!act || truth.kind === "one" || truth.kind === "number") return;
    event.preventDefault();
    if (act.p) onTruth({ kind: truth.kind, q: act.p });
    if (act.to !== undefined) focusOne(act.to);
  };

  let marks;
  if (truth.kind === "one" || truth.kind === "number") {
    const x = truth.kind === "one" ? middle(frame, truth.at) : frame.left + ordinal(ground.edges, truth.y) * frame.step;
    const words = truth.kind === "one" ? ground.labels[truth.at] : plain(truth.y);
    marks = (
      <g
        class="truth"
        data-truth="0"
        role="slider"
        tabindex={0}
        aria-label={`${name}, ${truth.kind === "one" ? "true bin" : "true number"}`}
        aria-valuemin={truth.kind === "one" ? 1 : ground.edges[0]}
        aria-valuemax={truth.kind === "one" ? k : ground.edges[k]}
        aria-valuenow={truth.kind === "one" ? truth.at + 1 : truth.y}
        aria-valuetext={words}
        onKeyDown={onOneKey}
      >
        <rect class="focus" x={x - Math.max(bar / 2, 10) - 4} y={top - 4} width={Math.max(bar, 20) + 8} height={height + 8} rx={6} />
        {truth.kind === "one" ? (
          <rect class="block" x={x - bar / 2} y={top} width={bar} height={height - 6} rx={Math.min(4, bar / 4)} />
        ) : (
          <g>
            <path class="block" d={`M${x} ${top - 2}l8 10v12h-16v-12z`} />
            <text class="number" x={x + (x > frame.width - 70 ? -14 : 14)} y={top + 16} style={{ textAnchor: x > frame.width - 70 ? "end" : "start" }}>
              {words}
            </text>
          </g>
        )}
      </g>
    );
  } else {
    marks = q.map((share, bin) => (
      <g
        key={bin}
        class="truth"
        data-truth={bin}
        role="slider"
        tabindex={bin === Math.min(chosen, k - 1) ? 0 : -1}
        aria-label={`${name}, ${truth.kind === "noisy" ? "frequency" : "target mass"} of ${ground.labels[bin]}`}
        aria-orientation="vertical"
        aria-valuemin={0}
        aria-valuemax={1}
        aria-valuenow={Number(share.toFixed(4))}
        aria-valuetext={percent(share)}
        onKeyDown={(event) => onShareKey(event, bin)}
        onFocus={() => setChosen(bin)}
      >
        <rect class="focus" x={frame.left + bin * frame.step} y={top - 4} width={frame.step} height={height + 4} rx={4} />
        <rect class="block" x={middle(frame, bin) - bar / 2} y={top} width={bar} height={Math.max((share / most) * (height - 6), 0.75)} rx={Math.min(2, bar / 4)} />
      </g>
    ));
  }
  return (
    <g ref={group}>
      {marks}
      <rect ref={hit} class="hit" x={frame.left} y={top - 10} width={frame.width - frame.left - frame.right} height={height + 40} />
    </g>
  );
}

/** The tree above its leaves, root at the bottom. */
function Dendrogram({ ground, frame, top, height }: { ground: Ground; frame: Frame; top: number; height: number }) {
  const deepest = Math.max(...ground.paths.map((path) => path.length));
  const level = (depth: number) => top + height * (1 - depth / deepest);
  const placed = new Map<string, number[]>();
  ground.paths.forEach((path, leaf) => {
    for (let depth = 0; depth < path.length; depth++) {
      const key = path.slice(0, depth).join("/");
      placed.set(key, [...(placed.get(key) ?? []), middle(frame, leaf)]);
    }
  });
  const mean = (xs: number[]) => xs.reduce((a, x) => a + x, 0) / xs.length;
  const at = (path: string[], leaf: number) =>
    path.length === ground.paths[leaf].length ? middle(frame, leaf) : mean(placed.get(path.join("/"))!);
  const drawn = new Set<string>();
  const lines = ground.paths.flatMap((path, leaf) =>
    path.map((_, depth) => {
      const [child, parent] = [path.slice(0, depth + 1), path.slice(0, depth)];
      if (drawn.has(child.join("/"))) return null;
      drawn.add(child.join("/"));
      const bottom = depth + 1 === path.length ? top : level(depth + 1);
      return <path d={`M${at(child, leaf)} ${bottom}V${level(depth)}H${at(parent, leaf)}`} />;
    }),
  );
  const names = [...placed].filter(([key]) => key && !key.includes("/"));
  return (
    <g class="tree" aria-hidden="true">
      {lines}
      {names.map(([key, xs]) => (
        <text x={mean(xs) + 4} y={level(1) + 14}>{key}</text>
      ))}
    </g>
  );
}
