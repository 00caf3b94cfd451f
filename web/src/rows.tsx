/** What each loss makes of the prediction, one strip per loss, under the same bins. */

import { path, type Curve } from "./shapes";
import { type Track } from "./descent";
import { middle, ordinal, type Frame } from "./frame";
import { binOf, judged, type Ground } from "./grounds";
import { judge, parse, refusal, softmax, sum, targetOf, type Judgment, type Loss, type Truth } from "./maths";
import { underNoise } from "./noise";
import type { State } from "./state";
import { amount, percent, short } from "./text";

const COLORS: Record<string, string> = { ce: "0", emd1: "1", emd2: "2", cce: "3", "ce+emd2": "4", crps: "5", brier: "6", "cdw-ce": "7", slace: "8" };

/** One color per loss, the same everywhere on the page. */
export const colorOf = (name: string): string => `var(--loss-${COLORS[name] ?? "9"})`;

const TITLES: Record<string, string> = {
  ce: "cross-entropy",
  emd1: "Wasserstein",
  emd2: "squared EMD",
  cce: "cumulative CE",
  brier: "Brier score",
  "cdw-ce": "CE by distance",
  slace: "SLACE",
  crps: "CRPS",
  nll: "log density",
};

export const titleOf = (name: string): string => TITLES[name] ?? "";

const STRIP = 58;

export interface RowsProps {
  state: State;
  ground: Ground;
  frame: Frame;
  tracks: Record<string, Track>;
}

export const logitsOf = (p: number[]): number[] => p.map(Math.log);

export const lossOf = (name: string): Loss => {
  const found = parse(name);
  return typeof found === "string" ? [] : found;
};

export function Rows({ state, ground, frame, tracks }: RowsProps) {
  const numbers = state.view === "noise" ? asNumber(state.truth, ground) : null;
  return (
    <div class="rows">
      {state.losses.map((name) => {
        const loss = lossOf(name);
        const why =
          state.view === "noise" && !numbers
            ? "needs one true bin or a number, on a line"
            : refusal(loss, numbers ?? state.truth, ground);
        return (
          <div class="row" key={name} style={{ "--loss": colorOf(name) }}>
            <div class="name">
              <b>{name}</b>
              <small>{titleOf(name)}</small>
            </div>
            {why ? <p class="why">{why}</p> : <Strip {...{ state, ground, frame, name, loss, numbers }} track={tracks[name]} />}
          </div>
        );
      })}
    </div>
  );
}

interface StripProps {
  state: State;
  ground: Ground;
  frame: Frame;
  name: string;
  loss: Loss;
  numbers: Truth | null;
  track: Track | undefined;
}

function Strip(props: StripProps) {
  switch (props.state.view) {
    case "run":
      return <RunStrip {...props} />;
    case "noise":
      return <NoiseStrip {...props} />;
    default:
      return <SlopeStrip {...props} />;
  }
}

/** Pushes, or weights, as bars up and down. */
function SlopeStrip({ state, ground, frame, name, loss }: StripProps) {
  const found: Judgment = judge(loss, logitsOf(state.p), state.truth, ground);
  const push = state.view === "push";
  const slopes = push ? found.pushes : found.weights;
  const most = Math.max(...slopes.map(Math.abs));
  // A strip fills its height, but for what is too small to move anything.
  const unit = loss.every(([, part]) => part === "ce" || part === "nll") ? 1 : typicalGap(judged(ground));
  const [up, down] = [Math.max(...slopes, 0), Math.max(...slopes.map((x) => -x), 0)];
  const size = (STRIP - 28) / Math.max(up + down, 0.04 * unit);
  const zero = up + down < 0.04 * unit ? STRIP / 2 : 14 + up * size;
  const bar = frame.step * (slopes.length > 40 ? 0.98 : 0.56);
  const what = push ? "pushes" : "weights";
  return (
    <>
      <svg
        class="strip"
        viewBox={`0 0 ${inner(frame)} ${STRIP}`}
        width={inner(frame)}
        height={STRIP}
        role="img"
        aria-label={`${name}, ${what}: ${ground.labels.slice(0, 30).map((label, j) => `${label} ${amount(slopes[j], true)}`).join(", ")}`}
      >
        <line class="axis" x1={0} x2={inner(frame)} y1={zero} y2={zero} />
        {slopes.map((slope, j) => {
          const tall = Math.max(Math.abs(slope) * size, slope ? 0.6 : 0);
          const x = middle(frame, j) - frame.left;
          const rises = slope > 0;
          return (
            <g key={j}>
              <rect class={rises ? "up" : "down"} x={x - bar / 2} y={rises ? zero - tall : zero} width={bar} height={tall} rx={Math.min(1.5, bar / 4)} />
              {frame.step >= 30 && Math.abs(slope) >= 0.0005 && (
                <text x={x} y={rises ? zero - tall - 3 : zero + tall + 11}>
                  {short(slope)}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      <div class="result">
        <b>{amount(found.value)}</b>
        <small>
          largest {amount(most)}
        </small>
      </div>
    </>
  );
}

/** Where training has taken the prediction. */
function RunStrip({ state, ground, frame, name, loss, track }: StripProps) {
  const logits = track?.logits ?? logitsOf(state.p);
  const { p } = softmax(logits);
  const q = targetOf(state.truth, ground);
  const bar = frame.step * (p.length > 40 ? 0.98 : 0.56);
  const foot = STRIP - 4;
  const tall = STRIP - 18;
  return (
    <>
      <svg
        class="strip"
        viewBox={`0 0 ${inner(frame)} ${STRIP}`}
        width={inner(frame)}
        height={STRIP}
        role="img"
        aria-label={`${name}, masses after ${track?.steps ?? 0} steps: ${ground.labels.slice(0, 30).map((label, j) => `${label} ${percent(p[j])}`).join(", ")}`}
      >
        <line class="axis" x1={0} x2={inner(frame)} y1={foot} y2={foot} />
        {p.map((mass, j) => {
          const x = middle(frame, j) - frame.left;
          return (
            <g key={j}>
              <rect class="up" x={x - bar / 2} y={foot - mass * tall} width={bar} height={Math.max(mass * tall, 0.5)} rx={Math.min(1.5, bar / 4)} />
              {q[j] > 0.001 && <line class="goal" x1={x - bar / 2 - 4} x2={x + bar / 2 + 4} y1={foot - q[j] * tall} y2={foot - q[j] * tall} />}
              {frame.step >= 30 && (
                <text x={x} y={foot - Math.max(mass, q[j] > mass && q[j] - mass < 0.3 ? q[j] : mass) * tall - 3}>{short(mass)}</text>
              )}
            </g>
          );
        })}
      </svg>
      <div class="result">
        <b>{amount(judge(loss, logits, state.truth, ground).value)}</b>
        <small>{ending(p, q, state.truth, ground, track)}</small>
      </div>
    </>
  );
}

/** What a run has come to, in a few words. */
function ending(p: number[], q: number[], truth: Truth, ground: Ground, track: Track | undefined): string {
  if (!track || track.steps === 0) return "not started";
  const off = sum(p.map((x, j) => Math.abs(x - q[j]))) / 2;
  const top = p.indexOf(Math.max(...p));
  if (truth.kind === "one" || truth.kind === "number")
    return track.arrived === null ? "not there yet" : `there after ${track.arrived.toLocaleString("en")} step${track.arrived === 1 ? "" : "s"}`;
  const goal = truth.kind === "noisy" ? "frequencies" : "target";
  if (off < 0.02) return `at the ${goal}`;
  if (p[top] > 0.97) return `a spike on ${ground.labels[top]}`;
  return `${percent(off)} off the ${goal}`;
}

/** The loss as the true number moves, and its spread under noise. */
function NoiseStrip({ state, ground, frame, name, loss, numbers }: StripProps) {
  const y = (numbers as { y: number }).y;
  const logits = logitsOf(state.p);
  const { edges } = ground;
  const k = edges.length - 1;
  const per = Math.max(Math.floor(240 / k), 3);
  const curve: Curve = [];
  for (let bin = 0; bin < k; bin++)
    for (let part = 0; part <= per; part++) {
      // Just inside the bin at both ends: so a jump at an edge is drawn upright.
      const share = Math.min(Math.max(part / per, 1e-9), 1 - 1e-9);
      const at = edges[bin] + share * (edges[bin + 1] - edges[bin]);
      const { value } = judge(loss, logits, { kind: "number", y: at }, ground);
      curve.push([(bin + share) * frame.step, value]);
    }
  const noise = targetUnit(ground, y) * state.targetNoise;
  const { mean, sd } = underNoise(loss, logits, y, ground, state.edgeNoise, noise);
  const top = Math.max(...curve.map(([, v]) => v), mean + sd) || 1;
  const low = Math.min(0, ...curve.map(([, v]) => v));
  const scale = (v: number) => STRIP - 4 - ((v - low) / (top - low)) * (STRIP - 10);
  const x = ordinal(edges, y) * frame.step;
  const [from, to] = [y - noise, y + noise].map((v) => ordinal(edges, Math.min(Math.max(v, edges[0]), edges[k])) * frame.step);
  const band = [scale(mean + sd), scale(Math.max(mean - sd, low))];
  const here = judge(loss, logits, { kind: "number", y }, ground).value;
  return (
    <>
      <svg
        class="strip"
        viewBox={`0 0 ${inner(frame)} ${STRIP}`}
        width={inner(frame)}
        height={STRIP}
        role="img"
        aria-label={`${name} as the true number moves; under the noise on average ${amount(mean)}, with a spread of ${amount(sd)}`}
      >
        <rect class="shake" x={from} y={0} width={Math.max(to - from, 1)} height={STRIP} />
        <rect class="band" x={0} y={band[0]} width={inner(frame)} height={Math.max(band[1] - band[0], 0.5)} />
        <line class="axis" x1={0} x2={inner(frame)} y1={STRIP - 4} y2={STRIP - 4} />
        <path class="curve" d={path(curve, scale)} />
        <circle class="here" cx={x} cy={scale(here)} r={4} />
      </svg>
      <div class="result">
        <b>{amount(mean)}</b>
        <small>
          ± {amount(sd)}, {mean ? percent(sd / Math.abs(mean)) : "0 %"}
        </small>
      </div>
    </>
  );
}

const inner = (frame: Frame): number => frame.width - frame.left - frame.right;

function typicalGap(ground: Ground): number {
  const near = ground.cost.map((row) => Math.min(...row.filter((d) => d > 0))).sort((a, b) => a - b);
  return near[near.length >> 1];
}

/** Width of the bin that holds the number: the unit of the slider for its noise. */
export function targetUnit(ground: Ground, y: number): number {
  const at = binOf(ground.edges, y);
  return ground.edges[at + 1] - ground.edges[at];
}

/** One true bin as a number, its position; null where there is no number. */
export function asNumber(truth: Truth, ground: Ground): Truth | null {
  if (ground.kind !== "line") return null;
  if (truth.kind === "number") return truth;
  return truth.kind === "one" ? { kind: "number", y: ground.positions[truth.at] } : null;
}

/** Two predictions side by side: what each loss says of them. */
export function Duel({ state, ground, names, short }: { state: State; ground: Ground; names: [string, string]; short: [string, string] }) {
  const other = state.other ?? state.p;
  return (
    <table class="duel">
      <caption class="quiet">What each loss makes of the two</caption>
      <colgroup>
        <col class="c-name" />
        <col class="c-value" />
        <col class="c-value" />
        <col />
      </colgroup>
      <thead>
        <tr>
          <th scope="col">loss</th>
          <th scope="col">{names[0]}</th>
          <th scope="col">{names[1]}</th>
          <th scope="col">prefers</th>
        </tr>
      </thead>
      <tbody>
        {state.losses.map((name) => {
          const loss = lossOf(name);
          const why = refusal(loss, state.truth, ground);
          const head = (
            <th scope="row">
              <span class="swatch" style={{ background: colorOf(name) }} />
              {name} <small>{titleOf(name)}</small>
            </th>
          );
          if (why) return <tr key={name}>{head}<td colSpan={3} class="soft">{why}</td></tr>;
          const [a, b] = [state.p, other].map((p) => judge(loss, logitsOf(p), state.truth, ground).value);
          const top = Math.max(Math.abs(a), Math.abs(b)) || 1;
          const same = Math.abs(a - b) <= 1e-6 * top;
          return (
            <tr key={name} class={same ? "same" : ""}>
              {head}
              {[a, b].map((v, side) => (
                <td key={side}>
                  <span class="number">{amount(v)}</span>
                  <span class="gauge">
                    <span style={{ width: `${(Math.abs(v) / top) * 100}%`, background: colorOf(name) }} />
                  </span>
                </td>
              ))}
              <td class="so">{same ? "cannot tell" : preference(a, b, short)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function preference(a: number, b: number, names: [string, string]): string {
  const better = a < b ? names[0] : names[1];
  const ratio = Math.max(a, b) / Math.min(a, b);
  if (!(Math.min(a, b) > 0) || !Number.isFinite(ratio)) return better;
  const times = ratio >= 10 ? Math.round(ratio).toLocaleString("en") : ratio.toFixed(ratio < 1.095 ? 2 : 1);
  return `${better}, by ${times} times`;
}

