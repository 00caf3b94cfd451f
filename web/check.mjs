/** Hold the built page against offby's Python: the page's own script, run in Node.
 *
 *     node check.mjs PAGE GOLDEN COMPARED
 */

import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

const [page, golden, compared] = process.argv.slice(2).map((path) => readFileSync(path, "utf8"));
runInThisContext(page.match(/<script>([^<]*(?:<(?!\/script>)[^<]*)*)<\/script>\s*<\/body>/)[1]);
const { descend, groundOf, judge, parse, readData, softmax, stateOfData, MOST_STEPS } = globalThis.offby;

const TOLERANCE = 1e-9;
const END_TOLERANCE = 0.02;
/** Of the largest distance. W1 is linear in the masses: of two bins of nearly equal cost
 * a run may rest on the second for longer than anyone waits. */
const COST_TOLERANCE = 0.01;
const PARTS = 8;

let numbers = 0;
let worst = 0;
let ends = 0;
const failures = [];

function near(found, wanted, where) {
  numbers++;
  // Weights of a class with next to no mass are huge: their digits count, not their size.
  const off = Math.abs(found - wanted) / Math.max(1, Math.abs(wanted));
  worst = Math.max(worst, off);
  if (!(off <= TOLERANCE)) failures.push(`${where}: ${found} instead of ${wanted}`);
}

for (const [number, state] of JSON.parse(golden).entries()) {
  const { place, k, edges } = state.ground;
  const ground = groundOf(place === "hours" ? `hours:${k}` : place === "animals" ? place : edges.join(), null);
  for (const [name, wanted] of Object.entries(state.losses)) {
    const where = `state ${number} (${place}, ${state.truth.kind}), ${name}`;
    const found = judge(parse(name), state.logits, state.truth, ground);
    near(found.value, wanted.value, `${where}, value`);
    wanted.pushes.forEach((push, j) => near(found.pushes[j], push, `${where}, push ${j}`));
    wanted.weights?.forEach((weight, j) => near(found.weights[j], weight, `${where}, weight ${j}`));
    if (wanted.end) {
      ends++;
      let logits = state.logits;
      let off = 1;
      // Most are there in a part of the steps a reader's run takes; the rest go on.
      for (let part = 0; part < PARTS && off > END_TOLERANCE; part++) {
        logits = descend(parse(name), logits, state.truth, ground, MOST_STEPS / PARTS);
        const { p } = softmax(logits);
        off = p.reduce((sum, x, j) => sum + Math.abs(x - wanted.end[j]), 0) / 2;
      }
      const best = wanted.end.reduce((sum, x, j) => sum + x * wanted.weights[j], 0);
      const excess = judge(parse(name), logits, state.truth, ground).value - best;
      const rests = name === "emd1" && excess <= COST_TOLERANCE * Math.max(...ground.cost.flat());
      if (!(off <= END_TOLERANCE || rests)) failures.push(`${where}: the run ends ${off.toFixed(4)} off ${wanted.end.map((x) => x.toFixed(3))}`);
    }
  }
}

/** The rows of a comparison, as the page opens on them: each loss as it was trained. */
for (const [name, { data, rows }] of Object.entries(JSON.parse(compared))) {
  const read = readData(JSON.stringify(data));
  if (typeof read === "string") {
    failures.push(`${name}: ${read}`);
    continue;
  }
  rows.forEach((models, row) => {
    for (const [model, losses] of Object.entries(models)) {
      const state = stateOfData(read, row, [model]);
      for (const [loss, wanted] of Object.entries(losses)) {
        const where = `${name}, row ${row} as ${model} predicts it, ${loss}`;
        const found = judge(parse(loss), state.p.map(Math.log), state.truth, groundOf(state.place, read));
        near(found.value, wanted.value, `${where}, value`);
        wanted.pushes.forEach((push, j) => near(found.pushes[j], push, `${where}, push ${j}`));
      }
    }
  });
}

console.log(`${numbers} numbers compared, largest difference ${worst.toExponential(1)}; ${ends} runs followed to their end; ${failures.length} failed`);
for (const failure of failures.slice(0, 20)) console.log(failure);
process.exitCode = failures.length || !numbers || !ends ? 1 : 0;
