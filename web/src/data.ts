/** The rows of a comparison that `offby explain` put into the page. */

import { binned, circle, classes, costs, scaled, treeOf, type Ground, type Trained } from "./grounds";
import { parse } from "./maths";
import { amount } from "./text";

export const MOST_BINS = 300;

export interface Row {
  why: string;
  number: number;
  at: number;
  value: number;
  probs: Record<string, number[]>;
}

export interface Data {
  name: string;
  target: string;
  numbers: boolean;
  ground: Ground;
  rows: Row[];
  /** Losses and references that predict these rows. */
  models: string[];
  /** Those among them that this page can compute. */
  losses: string[];
  /** In which unit losses count distances. */
  note: string;
}

const isNumbers = (x: unknown): x is number[] =>
  Array.isArray(x) && x.every((v) => typeof v === "number" && Number.isFinite(v));

const rises = (x: number[]): boolean => x.every((v, k) => k === 0 || v > x[k - 1]);

/** The data in the page: null if there are none, a sentence if they are no good. */
export function readData(text: string): Data | null | string {
  let raw: any;
  try {
    raw = JSON.parse(text);
  } catch {
    return "The data in this page must be JSON without NaN or infinity, and they are not. Make the page again with offby explain comparison.json.";
  }
  if (raw === null) return null;
  try {
    return checked(raw);
  } catch (error) {
    const why = error instanceof Complaint ? error.message : "The data in this page must be a comparison, and parts of it are missing.";
    return `${why} Make it again with offby compare and offby explain.`;
  }
}

class Complaint extends Error {}

function need(holds: boolean, sentence: string): void {
  if (!holds) throw new Complaint(sentence);
}

/** How the losses measured distances in training; null if that is not known, or as shown. */
function trainedOf(raw: any, ground: Ground): Trained | null {
  if (!raw.measure) return null;
  const { unit, edges, scale } = raw.measure;
  need(Number.isFinite(unit) && unit > 0, "The unit of the training must be a positive number.");
  if (ground.ticks !== "edges") {
    const knots: [number, number][] = [0, 1].map((y) => [y, y * unit]);
    return unit === 1 ? null : { ground: scaled(ground, unit), scale: "", knots };
  }
  need(isNumbers(edges) && edges.length === ground.edges.length && rises(edges), "Edges on the scale of the training must be increasing numbers, one for each edge.");
  const known: [number, number][] = edges.map((place: number, k: number) => [ground.edges[k], place]);
  // The truths of the rows are exact as well; so every row has the very loss it was trained with.
  for (const { value, onScale } of raw.rows)
    if (Number.isFinite(onScale) && value > known[0][0] && value < known[edges.length - 1][0] && !known.some(([y]) => y === value)) known.push([value, onScale]);
  known.sort(([a], [b]) => a - b);
  need(rises(known.map(([, place]) => place)), "Numbers on the scale of the training must increase with those of the target.");
  const bins: Ground = { ...binned(edges), tails: ground.tails };
  return { ground: scaled(bins, unit), scale, knots: known.map(([y, place]) => [y, place * unit]) };
}

/** In which unit losses count distances; nothing where each counts as it is. */
function noteOn(trained: Trained | null, known: boolean, target: string): string {
  if (!known)
    return `This comparison is of an earlier offby and does not say in which unit its losses were trained. Losses that feel distance are in the unit of ${target}.`;
  if (!trained) return "";
  const { unit } = trained.ground;
  const same = "the losses here count the same way.";
  if (trained.scale) {
    const scale = trained.scale === "quantile" ? "scale of normal scores" : `${trained.scale} scale`;
    return `Training measured distances on the ${scale} of ${target}, where a distance of 1 counted as ${amount(unit)}, so that the terms of a sum such as ce+emd2 weigh alike; ${same}`;
  }
  // A distance that counts as about 1: one dollar says little of prices.
  const about = 10 ** Math.round(-Math.log10(unit));
  return `In training, a distance of ${about.toLocaleString("en")} in ${target} counted as ${amount(unit * about)}, so that a sum such as ce+emd2 means the same in every unit; ${same}`;
}

/** Classes in a tree, or at costs that a matrix has. */
function apartOf(labels: string[], { cost, paths, cuts }: any): Ground {
  const k = labels.length;
  const square = Array.isArray(cost) && cost.length === k && cost.every((row) => isNumbers(row) && row.length === k && row.every((d) => d >= 0));
  need(square, `Distances must be ${k} rows of ${k} numbers from 0 on.`);
  if (!paths.length) return costs(labels, cost);
  need(paths.length === k && paths.every((path: unknown) => Array.isArray(path) && path.length > 0), "Every class of a tree must have a path.");
  need(cuts.every(isNumbers), "Every edge of a tree must have a length and the classes below it.");
  return treeOf(labels, cost, paths, cuts.map(([length, start, end]: number[]) => ({ length, start, end })));
}

/** Where the classes lie: on a line, around a circle, in a tree, or at costs. */
function groundOf({ labels, positions, edges, tails, circle: around, apart }: any, numbers: boolean): Ground {
  if (apart) return apartOf(labels, apart);
  if (around) {
    need(Number.isFinite(around.period) && around.period > positions[positions.length - 1] - positions[0], "The period must be longer than the way from the first class to the last.");
    return circle(positions, around.period, labels, around.distance === "chord");
  }
  if (!numbers) return classes(positions, labels);
  return { ...classes(positions, labels), edges, ticks: "edges", tails: [/^(lower-)?half/.test(tails), /^(upper-)?half/.test(tails)] };
}

function checked(raw: any): Data {
  const { labels, positions, edges } = raw;
  const k = labels.length;
  need(k >= 2, `A prediction needs at least 2 bins; the data have ${k}.`);
  need(k <= MOST_BINS, `This page draws up to ${MOST_BINS} bins; the data have ${k.toLocaleString("en")}.`);
  need(isNumbers(positions) && positions.length === k && rises(positions), "Positions of classes must be increasing numbers, one per class.");
  const numbers = raw.kind === "number" && isNumbers(edges) && edges.length === k + 1 && rises(edges);
  const ground = groundOf(raw, numbers);
  ground.trained = trainedOf(raw, ground);
  need(raw.rows.length > 0, "The data must hold a row, and hold none.");
  const rows: Row[] = raw.rows.map((row: any) => {
    for (const [model, probs] of Object.entries(row.probs)) {
      const good = isNumbers(probs) && probs.length === k && probs.every((x) => x >= 0) && probs.some((x) => x > 0);
      need(good, `The prediction of ${model} for row ${row.number} must be ${k} numbers from 0 to 1.`);
    }
    need(Number.isInteger(row.true) && row.true >= 0 && row.true < k, `The true class of row ${row.number} must be one of the ${k} classes.`);
    return { why: String(row.why), number: row.number, at: row.true, value: Number(row.value), probs: row.probs };
  });
  const models = Object.keys(rows[0].probs);
  need(models.length > 0, "A row must hold a prediction, and holds none.");
  const losses = models.filter((name) => typeof parse(name) !== "string");
  // A call of compare may name neither.
  const [name, target] = [String(raw.name || "the data"), String(raw.target || "the target")];
  return { name, target, numbers, ground, rows, models, losses, note: noteOn(ground.trained, Boolean(raw.measure), target) };
}
