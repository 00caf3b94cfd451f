/** The first state for the reader's own data. */

import type { Data } from "./data";
import type { State } from "./state";
import { STOPS } from "./stops";

/** The row to open with: the one on which the losses differ most. */
export const firstRow = (data: Data): number => Math.max(data.rows.findIndex(({ why }) => why === "most disputed"), 0);

/** A row of the data, with two of its predictions side by side. */
export function stateOfData(data: Data, row: number, wanted: string[] = []): State {
  const { at, value, probs } = data.rows[row];
  const there = Object.keys(probs);
  const has = wanted.filter((name) => there.includes(name));
  const last = there.includes("emd2") ? "emd2" : there[there.length - 1];
  const models = has.length ? has : [...new Set([there.includes("ce") ? "ce" : there[0], last])];
  const { edges } = data.ground;
  const inside = data.numbers && value >= edges[0] && value <= edges[edges.length - 1];
  const own = data.losses.filter((name) => inside || !/crps|nll/.test(name));
  const losses = [...new Set([...own, "ce", "emd1", "emd2", ...(inside ? ["crps"] : data.ground.kind === "line" || data.ground.kind === "tree" ? ["cce"] : [])])].slice(0, 6);
  const masses = (name: string) => {
    const raised = probs[name].map((x) => Math.max(x, 1e-30));
    const total = raised.reduce((a, x) => a + x, 0);
    return raised.map((x) => x / total);
  };
  return {
    ...STOPS[0].state,
    stop: 0,
    place: "data",
    row,
    models,
    p: masses(models[0]),
    other: models.length > 1 ? masses(models[1]) : null,
    truth: inside ? { kind: "number", y: value } : { kind: "one", at },
    losses,
  };
}
