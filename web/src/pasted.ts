/** Predictions that a reader pastes: probabilities or logits, one or two rows. */

import { MOST_BINS } from "./data";
import { softmax } from "./maths";
import { K_LEAST, normalized } from "./state";

/** How far a sum of probabilities may be from 1: they are often rounded. */
const ROUNDED = 0.02;

/** The masses of each row; a sentence if the text is no prediction.
 *
 * Numbers from 0 to 1 that sum to 1 are probabilities, all others logits. A first line
 * of names, as a CSV file has, is left out.
 */
export function pasted(text: string): number[][] | string {
  const lines = text.replaceAll("\u2212", "-").split(/[\n;]+/).map((line) => line.replace(/[[\]()]/g, " ").trim()).filter(Boolean);
  const rows = lines.map((line) => line.split(/[\s,]+/).filter(Boolean).map(Number));
  if (rows.length > 1 && rows[0].some(Number.isNaN)) rows.shift();
  if (!rows.length) return "Paste the probabilities or the logits of a row, such as 0.1, 0.7, 0.2.";
  if (rows.length > 2) return `This page shows one or two predictions side by side; got ${rows.length} rows.`;
  const k = rows[0].length;
  if (k < K_LEAST || k > MOST_BINS) return `A prediction needs ${K_LEAST} to ${MOST_BINS} numbers; got ${k}.`;
  if (rows.some((row) => row.length !== k)) return `Both rows must hold as many numbers; got ${k} and ${rows[1].length}.`;
  if (rows.some((row) => row.some((x) => !Number.isFinite(x)))) return "A prediction must hold finite numbers only.";
  return rows.map(massesOf);
}

function massesOf(row: number[]): number[] {
  const total = row.reduce((a, x) => a + x, 0);
  const probabilities = row.every((x) => x >= 0 && x <= 1) && Math.abs(total - 1) <= ROUNDED;
  return normalized(probabilities ? row : softmax(row).p);
}
