/** What a loss weighs and where it pushes: offby's own definitions, in doubles.
 *
 * `check.mjs` holds every number here against offby's Python, to 1e-9.
 */

import { binOf, cutsOf, placeOf, type Ground } from "./grounds";
import { erf, erfc } from "./normal";
import { brier, brierOfAll, cdwCrossEntropy, slace, type Slopes } from "./ordinal";

export type Truth =
  | { kind: "one"; at: number }
  /** Labels drawn with these frequencies, one at a time. */
  | { kind: "noisy"; q: number[] }
  /** Every label is this whole distribution. */
  | { kind: "soft"; q: number[] }
  | { kind: "number"; y: number };

export interface Judgment {
  value: number;
  /** Slope of the loss in the mass of each class, every mass moved by itself. */
  weights: number[];
  /** Minus the slope of the loss in each logit: where training moves it. */
  pushes: number[];
}

export const NAMES = ["ce", "emd1", "emd2", "cce", "brier", "cdw-ce", "slace", "crps", "nll"] as const;
export type Name = (typeof NAMES)[number];
export type Term = [factor: number, name: Name];
export type Loss = Term[];

const TERM = /^(?:(\d+\.?\d*|\.\d+)\*)?([a-z][a-z0-9-]*)$/;

/** The loss that a name such as ce+0.3*emd1 stands for; a sentence if none. */
export function parse(text: string): Loss | string {
  const terms: Loss = [];
  for (const part of text.replaceAll(" ", "").split("+")) {
    const match = TERM.exec(part);
    const name = match?.[2] as Name;
    if (!match || !NAMES.includes(name))
      return `A loss must be one of ${NAMES.join(", ")} or a sum such as ce+0.3*emd1; got “${text.slice(0, 40)}”.`;
    terms.push([Number(match[1] ?? 1), name]);
  }
  return terms;
}

export interface Masses {
  p: number[];
  logP: number[];
}

export function softmax(logits: number[]): Masses {
  const top = Math.max(...logits);
  const shift = top + Math.log(sum(logits.map((z) => Math.exp(z - top))));
  const logP = logits.map((z) => z - shift);
  return { p: logP.map(Math.exp), logP };
}

export const sum = (xs: number[]): number => xs.reduce((a, x) => a + x, 0);
function dot(a: number[], b: number[]): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}
const times = (m: number[][], v: number[]): number[] => m.map((row) => dot(row, v));
/** log(1 + e^x), to the last digit of a small result. */
const softplus = (x: number): number =>
  x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));

/** Mass on both sides of each cut of a line, each summed from its own side. */
function tails(p: number[]): [below: number[], above: number[]] {
  const below: number[] = [];
  const above: number[] = new Array(p.length - 1);
  let sumBelow = 0;
  let sumAbove = 0;
  for (let k = 0; k < p.length - 1; k++) below.push((sumBelow += p[k]));
  for (let k = p.length - 1; k > 0; k--) above[k - 1] = sumAbove += p[k];
  return [below, above];
}

function logTails(logP: number[]): [below: number[], above: number[]] {
  const add = (a: number, b: number) => Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
  const below = [logP[0]];
  for (let k = 1; k < logP.length - 1; k++) below.push(add(below[k - 1], logP[k]));
  const above: number[] = new Array(logP.length - 1);
  above[logP.length - 2] = logP[logP.length - 1];
  for (let k = logP.length - 2; k > 0; k--) above[k - 1] = add(above[k], logP[k]);
  return [below, above];
}

/** Target mass of each class. */
export function targetOf(truth: Truth, ground: Ground): number[] {
  if (truth.kind === "noisy" || truth.kind === "soft") return truth.q;
  const at = truth.kind === "one" ? truth.at : binOf(ground.edges, truth.y);
  return ground.labels.map((_, k) => Number(k === at));
}

/** The pushes that weights give: every push is multiplied by the mass of its class. */
function pushed(p: number[], weights: number[]): number[] {
  const mean = dot(p, weights);
  return p.map((mass, j) => -mass * (weights[j] - mean));
}

function judged(p: number[], value: number, weights: number[]): Judgment {
  return { value, weights, pushes: pushed(p, weights) };
}

const sloping = (p: number[], { value, weights, pushes }: Slopes): Judgment => ({ value, weights, pushes: pushes ?? pushed(p, weights) });

function crossEntropy({ p, logP }: Masses, q: number[]): Judgment {
  // No mass on a class costs nothing, however small its probability.
  const value = -sum(q.map((share, j) => (share ? share * logP[j] : 0)));
  const weights = q.map((share, j) => (share ? -share / p[j] : 0));
  return { value, weights, pushes: q.map((share, j) => share - p[j]) };
}

function wasserstein({ p }: Masses, q: number[], ground: Ground): Judgment {
  const weights = times(ground.cost, q);
  return judged(p, dot(p, weights), weights);
}

/** Predicted minus true mass below each cut, from the smaller side, and its slope. */
function overCuts(
  p: number[],
  q: number[],
  gaps: number[],
  cost: (gap: number) => [value: number, slope: number],
): Judgment {
  const [below, above] = tails(p);
  const [qBelow, qAbove] = tails(q);
  let value = 0;
  const weights = p.map(() => 0);
  gaps.forEach((gap, k) => {
    const lower = below[k] + qBelow[k] <= above[k] + qAbove[k];
    const [v, slope] = cost(lower ? below[k] - qBelow[k] : qAbove[k] - above[k]);
    value += gap * v;
    for (let j = 0; j < p.length; j++)
      if (lower ? j <= k : j > k) weights[j] += (lower ? 1 : -1) * gap * slope;
  });
  return judged(p, value, weights);
}

function squaredEmd({ p }: Masses, q: number[], ground: Ground): Judgment {
  const gaps = cutsOf(ground);
  if (!gaps) {
    const spread = times(ground.cost, p);
    const away = times(ground.cost, q);
    const level = dot(q, spread);
    const value = level - dot(p, spread) / 2;
    return judged(p, value, p.map((_, j) => away[j] - spread[j] + level));
  }
  const [below, above] = tails(p);
  const [qBelow, qAbove] = tails(q);
  let value = 0;
  const weights = p.map(() => 0);
  gaps.forEach((gap, k) => {
    value += gap * (qBelow[k] * above[k] ** 2 + qAbove[k] * below[k] ** 2);
    for (let j = 0; j < p.length; j++)
      weights[j] += 2 * gap * (j > k ? qBelow[k] * above[k] : qAbove[k] * below[k]);
  });
  return judged(p, value, weights);
}

/** Mass, in logs, and target mass on both sides of every cut of a line or a tree. */
interface Sides {
  gaps: number[];
  log: [below: number[], above: number[]];
  target: [below: number[], above: number[]];
  isAbove: (cut: number, bin: number) => boolean;
}

function sidesOf(logP: number[], q: number[], ground: Ground): Sides {
  const gaps = cutsOf(ground);
  if (gaps) return { gaps, log: logTails(logP), target: tails(q), isAbove: (k, j) => j > k };
  // All mass lies below an edge that leads to every leaf: it says nothing.
  const branches = ground.branches.filter(({ length, start, end }) => length > 0 && end - start < ground.labels.length);
  const inside = (k: number, j: number) => branches[k].start <= j && j < branches[k].end;
  const within = (side: boolean, xs: number[]) => branches.map((_, k) => xs.filter((_, j) => inside(k, j) === side));
  const logSum = (xs: number[]) => {
    const top = Math.max(...xs);
    return top + Math.log(sum(xs.map((x) => Math.exp(x - top))));
  };
  return {
    gaps: branches.map(({ length }) => length),
    log: [within(true, logP).map(logSum), within(false, logP).map(logSum)],
    target: [within(true, q).map(sum), within(false, q).map(sum)],
    isAbove: (k, j) => !inside(k, j),
  };
}

function cumulative({ p, logP }: Masses, q: number[], ground: Ground): Judgment {
  const { gaps, log, target, isAbove } = sidesOf(logP, q, ground);
  const [[logBelow, logAbove], [qBelow, qAbove]] = [log, target];
  let value = 0;
  const weights = p.map(() => 0);
  const pushes = p.map(() => 0);
  gaps.forEach((gap, k) => {
    const odds = logBelow[k] - logAbove[k];
    value += gap * (qBelow[k] * softplus(-odds) + qAbove[k] * softplus(odds));
    const below = gap * (qAbove[k] - qBelow[k] * Math.exp(-odds));
    const above = gap * (qBelow[k] - qAbove[k] * Math.exp(odds));
    for (let j = 0; j < p.length; j++) {
      const slope = isAbove(k, j) ? above : below;
      weights[j] += slope;
      // The slopes of a cut average to nothing under p, so no mean is subtracted.
      pushes[j] -= p[j] * slope;
    }
  });
  return { value, weights, pushes };
}

/** An end bin that reaches to infinity, as half of a normal distribution. */
interface Tail {
  at: number;
  scale: number;
  /** How far beyond its inner edge the number lies; negative on the other side. */
  reach: number;
}

/** Median of the half-normal distribution of scale 1: half of a tail lies within its outer edge. */
export const MEDIAN = 0.6744897501960817;

function tailsOf({ edges, tails: [lower, upper] }: Ground, y: number): Tail[] {
  const last = edges.length - 2;
  const found: Tail[] = [];
  if (lower) found.push({ at: 0, scale: (edges[1] - edges[0]) / MEDIAN, reach: edges[1] - y });
  if (upper) found.push({ at: last, scale: (edges[last + 1] - edges[last]) / MEDIAN, reach: y - edges[last] });
  return found;
}

/** Integrals of the squared mass on the far side beyond the inner edge of a tail.
 *
 * `once` and `twice` are those of its own distribution function and of its square on the
 * near side of the number, `far` that of the square of what is left on the far side.
 */
function beyond({ scale, reach }: Tail): { out: number; once: number; twice: number; far: number } {
  const out = Math.max(reach, 0);
  const unit = scale * Math.SQRT2;
  const z = out / unit;
  const bell = Math.exp(-z * z) / Math.sqrt(Math.PI);
  const [inner, outer] = [erf(z), erfc(z)];
  const [wideInner, wideOuter] = [erf(Math.SQRT2 * z), erfc(Math.SQRT2 * z)];
  const root = Math.sqrt(2 / Math.PI);
  const part = (x: number) => unit * Math.max(x, 0);
  return {
    out,
    once: part(z * inner + bell - 1 / Math.sqrt(Math.PI)),
    twice: part(z * inner ** 2 + 2 * bell * inner - wideInner * root),
    far: part(2 * bell * outer - z * outer ** 2 - wideOuter * root),
  };
}

/** Exact, with the distribution function linear inside each bin but for tails. */
function histogramCrps({ p }: Masses, y: number, ground: Ground): Judgment {
  const { edges } = ground;
  const [below, above] = tails(p);
  const last = p.length - 1;
  const whole = p.map(() => [0, 0, 0]);
  const [lower, upper] = ground.tails;
  let value = (lower ? 0 : Math.max(edges[0] - y, 0)) + (upper ? 0 : Math.max(y - edges[last + 1], 0));
  for (let k = 0; k <= last; k++) {
    // All of a tail is beyond its inner edge, below.
    const width = (k === 0 && lower) || (k === last && upper) ? 0 : edges[k + 1] - edges[k];
    const share = Math.min(Math.max((y - edges[k]) / (edges[k + 1] - edges[k]), 0), 1);
    const [left, right] = [width * share, width * (1 - share)];
    const a = k ? below[k - 1] : 0;
    const c = a + p[k] * share;
    const d = k < last ? above[k] : 0;
    const b = d + p[k] * (1 - share);
    value += (left * (a * a + a * c + c * c) + right * (b * b + b * d + d * d)) / 3;
    const own = (left * (a + 2 * c) * share + right * (2 * b + d) * (1 - share)) / 3;
    whole[k] = [left * (a + c), own, right * (b + d)];
  }
  const weights = p.map((_, j) =>
    sum(whole.map(([left, own, right], k) => (k > j ? left : k === j ? own : right))),
  );
  for (const tail of tailsOf(ground, y)) {
    const { out, once, twice, far } = beyond(tail);
    const [mass, rest] = [p[tail.at], tail.at ? below[last - 1] : above[0]];
    value += rest * rest * out + 2 * rest * mass * once + mass * mass * (twice + far);
    for (let j = 0; j <= last; j++)
      weights[j] += 2 * (j === tail.at ? rest * once + mass * (twice + far) : rest * out + mass * once);
  }
  return judged(p, value, weights);
}

/** Log density that the bin of a number has there by itself. */
function logDensity(y: number, ground: Ground): number {
  const at = binOf(ground.edges, y);
  const tail = tailsOf(ground, y).find((one) => one.at === at);
  if (!tail) return -Math.log(ground.edges[at + 1] - ground.edges[at]);
  return Math.log(2 / Math.PI) / 2 - Math.log(tail.scale) - (tail.reach / tail.scale) ** 2 / 2;
}

/** Why a loss has no value here; null if it has one. */
export function refusal(loss: Loss, truth: Truth, ground: Ground): string | null {
  for (const [, name] of loss) {
    if ((name === "crps" || name === "nll") && truth.kind !== "number")
      return "needs a number as truth";
    if (name === "cce" && ground.kind === "circle") return "needs cuts, and a circle has none";
    if (name === "cce" && ground.kind === "costs") return "needs cuts, and these classes have none";
  }
  return null;
}

function term(name: Name, masses: Masses, truth: Truth, ground: Ground): Judgment {
  const q = targetOf(truth, ground);
  const gaps = cutsOf(ground);
  const y = truth.kind === "number" ? truth.y : NaN;
  switch (name) {
    case "ce":
      return crossEntropy(masses, q);
    case "emd1":
      if (truth.kind === "soft" && gaps)
        return overCuts(masses.p, q, gaps, (x) => [Math.abs(x), Math.sign(x)]);
      return wasserstein(masses, q, ground);
    case "emd2":
      if (truth.kind === "soft" && gaps)
        return overCuts(masses.p, q, gaps, (x) => [x * x, 2 * x]);
      return squaredEmd(masses, q, ground);
    case "cce":
      return cumulative(masses, q, ground);
    case "brier":
      return sloping(masses.p, (truth.kind === "soft" ? brierOfAll : brier)(masses, q));
    case "cdw-ce":
      return sloping(masses.p, cdwCrossEntropy(masses, q, ground));
    case "slace":
      return sloping(masses.p, slace(masses, q, ground));
    case "crps":
      return histogramCrps(masses, y, ground);
    case "nll": {
      const found = crossEntropy(masses, q);
      return { ...found, value: found.value - logDensity(y, ground) - Math.log(ground.unit) };
    }
  }
}

/** A loss at a prediction; of noisy labels, the mean over their frequencies. */
export function judge(loss: Loss, logits: number[], truth: Truth, ground: Ground): Judgment {
  const { trained } = ground;
  if (trained) {
    const there: Truth = truth.kind === "number" ? { kind: "number", y: placeOf(truth.y, trained) } : truth;
    return judge(loss, logits, there, trained.ground);
  }
  const masses = softmax(logits);
  const whole: Judgment = { value: 0, weights: logits.map(() => 0), pushes: logits.map(() => 0) };
  for (const [factor, name] of loss) {
    const part = term(name, masses, truth, ground);
    whole.value += factor * part.value;
    // Plain loops: a run comes by here a hundred thousand times.
    for (let j = 0; j < logits.length; j++) {
      whole.weights[j] += factor * part.weights[j];
      whole.pushes[j] += factor * part.pushes[j];
    }
  }
  return whole;
}

export interface Flow {
  from: number;
  to: number;
  mass: number;
}

/** Where each bit of predicted mass must go, under the Wasserstein distance. */
export function plan(p: number[], truth: Truth, ground: Ground): Flow[] {
  const q = targetOf(truth, ground);
  const flows: Flow[] = [];
  if (truth.kind === "soft") {
    // Monotone: the lowest mass goes to the lowest place that is still free.
    const [left, room] = [[...p], [...q]];
    for (let i = 0, j = 0; i < p.length && j < q.length; ) {
      const mass = Math.min(left[i], room[j]);
      if (mass > 0) flows.push({ from: i, to: j, mass });
      left[i] -= mass;
      room[j] -= mass;
      if (left[i] <= room[j]) i++;
      else j++;
    }
    return flows;
  }
  // Each label wants all mass for itself, in proportion to how often it comes.
  p.forEach((mass, from) =>
    q.forEach((share, to) => {
      if (mass * share > 0) flows.push({ from, to, mass: mass * share });
    }),
  );
  return flows;
}
