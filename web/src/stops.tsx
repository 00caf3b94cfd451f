/** The seven stops: what is said, and the state of the page that proves it.
 *
 * No number is written by hand: each is computed from the state beside it.
 */

import type { ComponentChildren } from "preact";
import { advance, type Track } from "./descent";
import { groundOf, normalized, type State } from "./state";
import { judge, parse, targetOf, type Loss, type Truth } from "./maths";
import { underNoise } from "./noise";
import { amount, percent } from "./text";

export interface Stop {
  title: string;
  text: ComponentChildren;
  advice: ComponentChildren;
  state: State;
}

const NOTE = "-1000,-100,-10,-3,-1,0,1,2,3";
const SEVEN = [0.02, 0.3, 0.1, 0.05, 0.08, 0.4, 0.05];

const base: State = {
  stop: 1,
  place: "7",
  p: SEVEN,
  other: null,
  models: [],
  row: 0,
  truth: { kind: "one", at: 4 },
  losses: ["ce", "emd1", "emd2", "cce"],
  view: "push",
  steps: 0,
  edgeNoise: 0,
  targetNoise: 0,
};

const far = normalized([0.4, 0.02, 0.03, 0.04, 0.05, 0.1, 0.35, 0.01]);
const near = normalized([0.01, 0.02, 0.03, 0.04, 0.05, 0.1, 0.35, 0.4]);
const sure = normalized([0.9994, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4]);
const FREQUENCIES = [0.35, 0.1, 0.1, 0.15, 0.3];

const STATES: State[] = [
  { ...base, stop: 1, place: NOTE, p: far, other: near, truth: { kind: "one", at: 6 } },
  { ...base, stop: 2, view: "weight" },
  { ...base, stop: 3 },
  { ...base, stop: 4, p: sure, truth: { kind: "one", at: 5 }, losses: ["ce", "emd1", "emd2", "cce", "ce+emd2"] },
  { ...base, stop: 5, place: "5", p: [0.2, 0.2, 0.2, 0.2, 0.2], truth: { kind: "noisy", q: FREQUENCIES }, losses: ["ce", "emd1", "emd2", "cce", "ce+0.3*emd1"], view: "run", steps: 65536 },
  { ...base, stop: 6, place: "8", p: normalized([0.02, 0.08, 0.3, 0.06, 0.34, 0.14, 0.04, 0.02]), truth: { kind: "number", y: 4.4 }, losses: ["ce", "emd1", "emd2", "crps"], view: "noise", edgeNoise: 0.3, targetNoise: 0.3 },
  { ...base, stop: 7, p: sure, truth: { kind: "noisy", q: [0.02, 0.05, 0.08, 0.15, 0.4, 0.2, 0.1] }, losses: ["ce", "emd1", "emd2", "ce+emd2"], view: "run", steps: 200 },
];

const loss = (name: string): Loss => parse(name) as Loss;
const at = (n: number): State => STATES[n - 1];
const ground = (state: State) => {
  const found = groundOf(state.place, null);
  if (typeof found === "string") throw new Error(found);
  return found;
};

function value(name: string, state: State, p: number[] = state.p, truth: Truth = state.truth): number {
  return judge(loss(name), p.map(Math.log), truth, ground(state)).value;
}

const pushes = (name: string, state: State) => judge(loss(name), state.p.map(Math.log), state.truth, ground(state)).pushes;
const weights = (name: string, state: State) => judge(loss(name), state.p.map(Math.log), state.truth, ground(state)).weights;
const most = (xs: number[]) => Math.max(...xs.map(Math.abs));

declare const __FACTS__: Record<string, string> | undefined;

/** What takes long to compute: done once, when the page is built. */
export const FACTS: Record<string, string> = {};

function fact(key: string, compute: () => string): string {
  return typeof __FACTS__ === "undefined" ? (FACTS[key] = compute()) : __FACTS__[key];
}

/** Steps of training until half the mass lies on the true class. */
const stepsToArrive = (name: string, state: State): string =>
  fact(`steps of ${name}`, () => counted(name, state));

function counted(name: string, state: State): string {
  const true_ = targetOf(state.truth, ground(state)).indexOf(1);
  let track: Track = { loss: loss(name), logits: state.p.map(Math.log), steps: 0, arrived: null };
  for (let to = 1; to <= 2 ** 17 && track.arrived === null; to *= 2) track = advance(track, true_, state.truth, ground(state), to);
  return track.arrived === null ? "more than 100,000" : track.arrived.toLocaleString("en");
}

const spread = (name: string, state: State): string => fact(`spread of ${name}`, () => spreadOf(name, state));

function spreadOf(name: string, state: State): string {
  const y = state.truth.kind === "number" ? state.truth.y : NaN;
  const { mean, sd } = underNoise(loss(name), state.p.map(Math.log), y, ground(state), state.edgeNoise, state.targetNoise);
  return percent(sd / mean);
}

function medianOf(shares: number[]): number {
  let reached = 0;
  return shares.findIndex((share) => (reached += share) >= 0.5);
}

const code = (text: string) => <code>{text}</code>;

export const STOPS: Stop[] = [
  {
    title: "Two wrong predictions",
    state: at(1),
    text: (
      <>
        <p>
          The truth lies between 1 and 2. <b>A</b> puts {percent(far[0])} of its mass hundreds away and {percent(far[7])} next door. <b>B</b> has
          the two swapped.
        </p>
        <p>
          Cross-entropy gives both <b>{amount(value("ce", at(1)))}</b>: it reads the mass on the true bin, and nothing
          else. The Wasserstein distance, the mass times how far it must go, gives A{" "}
          <b>{amount(value("emd1", at(1)))}</b> and B <b>{amount(value("emd1", at(1), near))}</b>.
        </p>
      </>
    ),
    advice: "Where a far miss costs more than a near one, use a loss that knows distance, or at least judge by one.",
  },
  {
    title: "What cross-entropy looks at",
    state: at(2),
    text: (
      <>
        <p>
          The strips show the weight of each bin’s mass in the loss. Cross-entropy weighs the true bin (
          {amount(weights("ce", at(2))[4])} there) and no other. Wasserstein does the reverse: nothing on the true bin,
          and on every other its distance.
        </p>
        <p>Drag mass sideways from one wrong bin to another: cross-entropy stays where it is.</p>
      </>
    ),
    advice: <>Classes without an order: use {code("ce")}. It has nothing to miss.</>,
  },
  {
    title: "What Wasserstein forgives",
    state: at(3),
    text: (
      <>
        <p>
          A network moves logits, not masses, so look at the pushes. Bin 6, next to the truth, holds {percent(SEVEN[5])}. Cross-entropy
          pushes it down ({amount(pushes("ce", at(3))[5])}), as it does every wrong bin.
        </p>
        <p>
          Wasserstein and the squared EMD push it <em>up</em> ({amount(pushes("emd1", at(3))[5], true)} and{" "}
          {amount(pushes("emd2", at(3))[5], true)}): it lies nearer than the mass does on average.
        </p>
      </>
    ),
    advice: "In many ordered bins a distance-aware loss learns each from its neighbors; with a handful we could measure no gain.",
  },
  {
    title: "Confident and wrong",
    state: at(4),
    text: (
      <>
        <p>
          Nearly all mass on bin 1, the truth in bin 6. Softmax multiplies every push by the mass of its bin, and only
          the logarithm makes up for it: the largest push of {code("emd2")} is{" "}
          {amount(most(pushes("emd2", at(4))))}, that of {code("ce")} {amount(most(pushes("ce", at(4))))}.
        </p>
        <p>
          Press <b>Run</b>. Half the mass is on the true bin after {stepsToArrive("ce", at(4))} steps of {code("ce")},{" "}
          {stepsToArrive("cce", at(4))} of {code("cce")}, {stepsToArrive("ce+emd2", at(4))} of {code("ce+emd2")}, but{" "}
          {stepsToArrive("emd2", at(4))} of {code("emd2")} and {stepsToArrive("emd1", at(4))} of {code("emd1")}.
        </p>
      </>
    ),
    advice: (
      <>
        A network that starts far off, as in fine-tuning: not {code("emd1")}, {code("emd2")} or {code("crps")} alone. Add{" "}
        {code("ce")}, or take {code("cce")}.
      </>
    ),
  },
  {
    title: "Noisy labels",
    state: at(5),
    text: (
      <>
        <p>
          The same input comes with different labels, at the frequencies marked in the strips. A <em>proper</em> loss
          ends at these frequencies: {code("ce")}, {code("emd2")} and {code("cce")} do.
        </p>
        <p>
          Wasserstein ends as one spike on the median, though only {percent(FREQUENCIES[medianOf(FREQUENCIES)])} of the labels lie there. A
          little of it in a sum bends the probabilities a little.
        </p>
      </>
    ),
    advice: (
      <>
        Never {code("emd1")} alone: a proper loss gives the probabilities, and its median is the better guess as well.
      </>
    ),
  },
  {
    title: "Noisy edges",
    state: at(6),
    text: (
      <>
        <p>
          The true number lies near an edge. Shake the edges and the number a little, and it falls into the next bin,
          whose mass happens to be another. The strips show each loss as the number moves.
        </p>
        <p>
          Cross-entropy jumps by any amount: its spread is {spread("ce", at(6))} of its mean. The Wasserstein distance
          steps by no more than the way between the two bins ({spread("emd1", at(6))}); the CRPS, which knows the number
          itself, slides ({spread("crps", at(6))}).
        </p>
      </>
    ),
    advice: (
      <>
        Many fine bins, or edges you made up: {code("emd2")} or {code("crps")}, so that their exact place matters little.
      </>
    ),
  },
  {
    title: "So which one?",
    state: at(7),
    text: (
      <>
        <p>
          Noisy labels and a bad start at once, after {at(7).steps} steps: {code("ce+emd2")} has nearly reached the
          frequencies and knows distance; {code("emd2")} has not yet left.
        </p>
        <ul>
          <li>no order among the classes: {code("ce")}</li>
          <li>a handful of ordered classes: any proper loss</li>
          <li>a number in many bins: {code("emd2")} or {code("crps")}</li>
          <li>and its density too: {code("hl-gauss")} or {code("ce+emd2")}</li>
        </ul>
      </>
    ),
    advice: (
      <>
        Unsure? Start with {code("ce+emd2")}, and let {code("offby compare")} decide on your own data.
      </>
    ),
  },
];
