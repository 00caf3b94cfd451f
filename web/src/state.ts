/** What the page shows: all of it, as one value that fits into the URL. */

import { MOST_BINS, type Data } from "./data";
import { ANIMALS, binned, hours, nClasses, regular, tree, type Ground } from "./grounds";
import { parse, sum, type Truth } from "./maths";
import { MOST_STEPS } from "./descent";

export type View = "push" | "weight" | "run" | "noise";
export const VIEWS: View[] = ["push", "weight", "run", "noise"];

export interface State {
  /** Stop whose text is open; 0 is the reader's own data. */
  stop: number;
  /** Bins: a number of classes, edges, hours:8, animals, or data. */
  place: string;
  p: number[];
  /** A second prediction beside the first. */
  other: number[] | null;
  /** Losses that trained the two predictions, for the reader's own data. */
  models: string[];
  row: number;
  truth: Truth;
  losses: string[];
  view: View;
  steps: number;
  edgeNoise: number;
  /** In widths of the middle bin. */
  targetNoise: number;
}

/** No softmax gives zero; a dragged bar ends here. */
export const LEAST = 0.001;
/** Masses that are zero in the data: a logit must be finite. */
const FLOOR = 1e-30;

export const K_LEAST = 2;

/** The bins that a word stands for; a sentence if none. */
export function groundOf(place: string, data: Data | null): Ground | string {
  if (place === "data") return data ? data.ground : "There are no data in this page.";
  if (place === "animals") return tree(ANIMALS);
  const [word, count] = place.split(":");
  if (word === "hours") {
    const n = Number(count);
    return Number.isInteger(n) && n >= 3 && n <= 24 ? hours(n) : `A circle takes 3 to 24 hours; got “${place.slice(0, 40)}”.`;
  }
  if (!place.includes(",")) {
    const n = Number(place);
    if (place.trim() === "" || !Number.isInteger(n)) return `Bins must be a number of classes, or edges such as 0, 1, 5; got “${place.slice(0, 40)}”.`;
    if (n < K_LEAST) return `A prediction needs at least ${K_LEAST} bins; got ${n}.`;
    if (n > MOST_BINS) return `This page draws up to ${MOST_BINS} bins; got ${n.toLocaleString("en")}.`;
    return regular(n);
  }
  const words = place.replaceAll("\u2212", "-").split(",");
  const edges = words.map((w) => (w.trim() === "" ? NaN : Number(w)));
  const bad = edges.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) return `Edges must be numbers; got “${words[bad].trim().slice(0, 20)}”.`;
  if (edges.length <= K_LEAST) return `A prediction needs at least ${K_LEAST} bins, so ${K_LEAST + 1} edges; got ${edges.length}.`;
  if (edges.length > MOST_BINS + 1) return `This page draws up to ${MOST_BINS} bins; got ${edges.length - 1}.`;
  const falls = edges.findIndex((x, k) => k > 0 && x <= edges[k - 1]);
  if (falls > 0) return `Edges must increase, but ${edges[falls - 1]} is followed by ${edges[falls]}.`;
  return binned(edges);
}

/** Masses that sum to 1. */
export function normalized(p: number[]): number[] {
  const raised = p.map((x) => Math.max(x, FLOOR));
  const total = sum(raised);
  return raised.map((x) => x / total);
}

/** One mass set; the others share the rest as they did. */
export function raise(p: number[], at: number, mass: number): number[] {
  const rest = 1 - p[at];
  const most = 1 - LEAST * (p.length - 1);
  const to = Math.min(Math.max(mass, LEAST), most);
  return normalized(
    p.map((x, j) => (j === at ? to : rest > 1e-9 ? (x / rest) * (1 - to) : (1 - to) / (p.length - 1))),
  );
}

/** Mass of one bin carried to a place between two bins, shared by how near they lie. */
export function carry(p: number[], from: number, to: number, mass: number): number[] {
  const place = Math.min(Math.max(to, 0), p.length - 1);
  const low = Math.min(Math.floor(place), p.length - 2);
  const share = place - low;
  const moved = Math.max(Math.min(mass, p[from] - LEAST), 0);
  const next = [...p];
  next[from] -= moved;
  next[low] += moved * (1 - share);
  next[low + 1] += moved * share;
  return normalized(next);
}

/** Bins whose number changes: the same shape over the new bins. */
export function resampled(p: number[], k: number): number[] {
  if (p.length === k) return p;
  const at = (x: number) => p[Math.min(Math.max(Math.round(x), 0), p.length - 1)];
  return normalized(Array.from({ length: k }, (_, j) => at(((j + 0.5) * p.length) / k - 0.5)));
}

const digits = (x: number): string => String(Number(x.toPrecision(6)));
const list = (xs: number[]): string => xs.map(digits).join(",");

function truthWord(truth: Truth): string {
  switch (truth.kind) {
    case "one":
      return String(truth.at + 1);
    case "number":
      return `at:${digits(truth.y)}`;
    default:
      return `${truth.kind}:${list(truth.q)}`;
  }
}

/** The state as a URL hash; `known` are states that a stop's number says whole. */
export function toHash(state: State, known: State | null): string {
  const fields: [string, string][] = [
    ["stop", String(state.stop)],
    ["bins", state.place],
    ["p", list(state.p)],
    ["other", state.other ? list(state.other) : ""],
    ["models", state.models.join(",")],
    ["row", String(state.row)],
    ["truth", truthWord(state.truth)],
    ["losses", state.losses.join(",")],
    ["view", state.view],
    ["steps", String(state.steps)],
    ["edges", digits(state.edgeNoise)],
    ["target", digits(state.targetNoise)],
  ];
  const whole = new URLSearchParams(fields).toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  if (known && toHash(known, null) === `#${whole}`) return `#stop=${state.stop}`;
  return `#${whole}`;
}

function numbers(text: string, k: number, what: string): number[] | string {
  const xs = text.split(",").map((w) => (w.trim() === "" ? NaN : Number(w)));
  if (xs.length !== k || xs.some((x) => !(x >= 0 && x <= 1)))
    return `${what} must be ${k} numbers from 0 to 1; got “${text.slice(0, 40)}”.`;
  if (Math.abs(sum(xs) - 1) > 0.01) return `${what} must sum to 1; got ${digits(sum(xs))}.`;
  return normalized(xs);
}

function truthOf(text: string, ground: Ground): Truth | string {
  const k = nClasses(ground);
  const [kind, rest] = text.includes(":") ? text.split(":") : ["one", text];
  if (kind === "one") {
    const at = Number(rest);
    if (!Number.isInteger(at) || at < 1 || at > k) return `The true bin must be a number from 1 to ${k}; got “${text.slice(0, 20)}”.`;
    return { kind: "one", at: at - 1 };
  }
  if (kind === "noisy" || kind === "soft") {
    if (kind === "soft" && ground.kind !== "line") return "A soft target needs bins on a line.";
    const q = numbers(rest, k, "The target");
    return typeof q === "string" ? q : { kind, q };
  }
  const y = Number(rest);
  if (kind !== "at" || rest === "" || !Number.isFinite(y)) return `The truth must be a bin, noisy:…, soft:… or at:…; got “${text.slice(0, 20)}”.`;
  if (ground.kind !== "line") return "A number as truth needs bins on a line.";
  const [low, high] = [ground.edges[0], ground.edges[k]];
  if (y < low || y > high) return `The true number must lie within the edges, ${low} to ${high}; got ${y}.`;
  return { kind: "number", y };
}

/** The state that a hash holds, or a sentence. Fields left out are those of the stop. */
export function fromHash(
  hash: string,
  data: Data | null,
  stops: (n: number, row?: number, models?: string[]) => State | null,
): State | string {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const known = ["stop", "bins", "p", "other", "models", "row", "truth", "losses", "view", "steps", "edges", "target"];
  const strange = [...fields.keys()].find((key) => !known.includes(key));
  if (strange !== undefined) return `The address must hold a state of this page; “${strange.slice(0, 30)}” is none of its parts.`;
  const stop = fields.get("stop") ?? "1";
  // A row and losses say, without more, what those losses predict for that row.
  const row = [...(data?.rows.keys() ?? [])].find((at) => String(at) === fields.get("row"));
  const base = stops(Number(stop), row, fields.get("models")?.split(","));
  if (stop.trim() === "" || !base) return `There is no stop “${stop.slice(0, 20)}”.`;
  const state: State = { ...base };
  state.place = fields.get("bins") ?? base.place;
  const ground = groundOf(state.place, data);
  if (typeof ground === "string") return ground;
  const k = nClasses(ground);
  const fits = k === base.p.length;
  const p = fields.get("p");
  const masses = p === null ? (fits ? base.p : Array.from({ length: k }, () => 1 / k)) : numbers(p, k, "The prediction");
  if (typeof masses === "string") return masses;
  state.p = masses;
  const other = fields.get("other");
  const second = other === "" || (other === null && !fits) ? null : other === null ? base.other : numbers(other, k, "The second prediction");
  if (typeof second === "string") return second;
  state.other = second;
  const truth = fields.has("truth") ? truthOf(fields.get("truth")!, ground) : fits ? base.truth : truthOf("1", ground);
  if (typeof truth === "string") return truth;
  state.truth = truth;
  const losses = lossList(fields.get("losses") ?? base.losses.join(","));
  if (typeof losses === "string") return losses;
  state.losses = losses;
  const view = fields.get("view") ?? base.view;
  if (!VIEWS.includes(view as View)) return `The view must be one of ${VIEWS.join(", ")}; got “${view.slice(0, 20)}”.`;
  state.view = view as View;
  for (const [key, field, most] of [["steps", "steps", MOST_STEPS], ["edges", "edgeNoise", 0.5], ["target", "targetNoise", 3], ["row", "row", (data?.rows.length ?? 1) - 1]] as const) {
    const text = fields.get(key);
    if (text === null) continue;
    const x = Number(text);
    const whole = key === "steps" || key === "row";
    if (text === "" || !(x >= 0 && x <= most) || (whole && !Number.isInteger(x))) return `${key} must be a number from 0 to ${most}; got “${text.slice(0, 20)}”.`;
    state[field] = x;
  }
  const models = fields.get("models");
  if (models !== null) state.models = models === "" ? [] : models.split(",");
  if (state.models.some((m) => !data?.models.includes(m))) return "The two models must be of the data in this page.";
  return state;
}

export const MOST_LOSSES = 7;

/** Names of losses, separated by commas; a sentence if one is none. */
export function lossList(text: string): string[] | string {
  const names = text.replaceAll(" ", "").split(",").filter((name) => name !== "");
  if (!names.length) return "Name at least one loss, such as ce, emd2.";
  if (names.length > MOST_LOSSES) return `This page shows up to ${MOST_LOSSES} losses side by side; got ${names.length}.`;
  for (const name of names) {
    const found = parse(name);
    if (typeof found === "string") return found;
  }
  return [...new Set(names)];
}
