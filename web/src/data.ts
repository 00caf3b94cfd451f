/** The rows of a comparison that `offby explain` put into the page. */

import { classes, type Ground } from "./grounds";
import { parse } from "./maths";

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

function checked(raw: any): Data {
  const { labels, positions, edges } = raw;
  const k = labels.length;
  need(k >= 2, `A prediction needs at least 2 bins; the data have ${k}.`);
  need(k <= MOST_BINS, `This page draws up to ${MOST_BINS} bins; the data have ${k.toLocaleString("en")}.`);
  need(isNumbers(positions) && positions.length === k && rises(positions), "Positions of classes must be increasing numbers, one per class.");
  const numbers = raw.kind === "number" && isNumbers(edges) && edges.length === k + 1 && rises(edges);
  const ground: Ground = numbers
    ? { ...classes(positions, labels), edges, ticks: "edges" }
    : classes(positions, labels);
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
  return { name: String(raw.name), target: String(raw.target), numbers, ground, rows, models, losses };
}
