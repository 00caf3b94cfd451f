/** The reader's own setting: bins, prediction, truth and losses. */

import { useEffect, useState } from "preact/hooks";
import type { Data } from "./data";
import { nClasses, type Ground } from "./grounds";
import { targetOf, type Truth } from "./maths";
import { pasted } from "./pasted";
import { groundOf, K_LEAST, lossList, normalized, resampled, type State } from "./state";
import { STOPS } from "./stops";

export type Change = (part: Partial<State>) => void;

const NOTE = STOPS[0].state.place;
const PLACES: [string, string][] = [
  ["7", "Classes 1, 2, 3, …"],
  [NOTE, "Bins of the first stop"],
  ["0,18,30,50,65,90", "Ages, uneven bins"],
  ["hours:8", "Hours of the day, a circle"],
  ["animals", "Animals, a tree"],
];

interface Props {
  state: State;
  ground: Ground;
  data: Data | null;
  onChange: Change;
}

/** The same truth on other bins, as near as it goes. */
function truthOn(truth: Truth, ground: Ground): Truth {
  const k = nClasses(ground);
  if (truth.kind === "noisy" || (truth.kind === "soft" && ground.kind === "line")) return { kind: truth.kind, q: resampled(truth.q, k) };
  if (truth.kind === "one" && truth.at < k) return truth;
  return { kind: "one", at: Math.floor((k * 2) / 3) };
}

/** A shape for every number of bins, named for what it shows. */
function shapes(k: number, at: number): [string, number[]][] {
  const opposite = at < k / 2 ? k - 1 : 0;
  const next = at + 1 < k ? at + 1 : at - 1;
  const bump = (center: number, width: number) => Array.from({ length: k }, (_, j) => Math.exp(-(((j - center) / width) ** 2)) + 0.002);
  return [
    ["right", normalized(bump(at, Math.max(k / 9, 0.8)))],
    ["one off", normalized(bump(next, Math.max(k / 12, 0.6)))],
    ["two humps", normalized(bump(at, 0.8).map((x, j) => x + bump(opposite + (opposite ? -1 : 1), 0.8)[j]))],
    ["wrong and sure", normalized(Array.from({ length: k }, (_, j) => (j === opposite ? 1 : 1e-4)))],
    ["flat", normalized(Array.from({ length: k }, () => 1))],
  ];
}

export function Controls({ state, ground, data, onChange }: Props) {
  const k = nClasses(ground);
  const [complaint, setComplaint] = useState<string | null>(null);
  const [losses, setLosses] = useState(state.losses.join(", "));
  const [edges, setEdges] = useState("");
  useEffect(() => setLosses(state.losses.join(", ")), [state.losses.join()]);
  useEffect(() => setComplaint(null), [state.place, state.stop]);
  const q = targetOf(state.truth, ground);
  const at = q.indexOf(Math.max(...q));

  const setPlace = (place: string) => {
    const next = groundOf(place, data);
    if (typeof next === "string") return setComplaint(next);
    setComplaint(null);
    const n = nClasses(next);
    onChange({
      place,
      p: resampled(state.p, n),
      other: state.other && resampled(state.other, n),
      truth: truthOn(state.truth, next),
    });
  };
  const setNumbers = (text: string) => {
    if (!text.trim()) return;
    const rows = pasted(text);
    if (typeof rows === "string") return setComplaint(rows);
    setComplaint(null);
    const [p, other = null] = rows;
    if (p.length === k) return onChange({ p, other, models: [] });
    // Another number of bins: classes 1, 2, 3, ... of that many.
    const place = String(p.length);
    onChange({ place, p, other, models: [], truth: truthOn(state.truth, groundOf(place, data) as Ground) });
  };
  const setTruth = (kind: string) => {
    const shares = normalized(Array.from({ length: k }, (_, j) => Math.exp(-Math.abs(j - at)) + 0.02));
    if (kind === "one") onChange({ truth: { kind, at } });
    else if (kind === "number") onChange({ truth: { kind, y: Number(ground.positions[at].toPrecision(6)) } });
    else onChange({ truth: { kind: kind as "noisy" | "soft", q: state.truth.kind === "noisy" || state.truth.kind === "soft" ? state.truth.q : shares } });
  };
  const classes = /^\d+$/.test(state.place);
  const listed = classes ? "7" : PLACES.some(([place]) => place === state.place) || state.place === "data" ? state.place : state.place.startsWith("hours") ? "hours:8" : "own";
  return (
    <details class="setting controls">
      <summary>Set it up yourself</summary>
      <div class="fields">
        <label>
          Bins
          <select value={listed} onChange={(event) => setPlace(event.currentTarget.value)}>
            {data && <option value="data">Your data</option>}
            {PLACES.map(([place, words]) => (
              <option key={place} value={place}>
                {words}
              </option>
            ))}
            {listed === "own" && <option value="own">Edges of your own</option>}
          </select>
        </label>
        {classes && (
          <label>
            How many
            <input type="number" min={3} max={20} value={k} onChange={(event) => {
              const n = Number(event.currentTarget.value);
              if (n >= K_LEAST && n <= 20) setPlace(String(n));
              else setComplaint(`Choose 3 to 20 bins; got ${event.currentTarget.value || "nothing"}.`);
            }} />
          </label>
        )}
        <label>
          Edges of your own
          <input
            type="text"
            placeholder="0, 18, 30, 50, 65"
            value={edges}
            onInput={(event) => setEdges(event.currentTarget.value)}
            onChange={(event) => {
              const text = event.currentTarget.value.replaceAll(" ", "");
              if (text) setPlace(text.includes(",") ? text : `${text},`);
            }}
          />
        </label>
        <label>
          Truth
          <select value={state.truth.kind} onChange={(event) => setTruth(event.currentTarget.value)}>
            <option value="one">one bin</option>
            <option value="noisy">noisy labels</option>
            {ground.kind === "line" && <option value="soft">a soft target</option>}
            {ground.kind === "line" && <option value="number">a number</option>}
          </select>
        </label>
        <label>
          Losses
          <input
            type="text"
            value={losses}
            onInput={(event) => setLosses(event.currentTarget.value)}
            onChange={(event) => {
              const found = lossList(event.currentTarget.value);
              if (typeof found === "string") return setComplaint(found);
              setComplaint(null);
              onChange({ losses: found });
            }}
          />
        </label>
        <label class="wide">
          Numbers of your own: probabilities or logits of a row, or of two
          <textarea
            rows={2}
            placeholder="0.05, 0.15, 0.5, 0.2, 0.1"
            spellcheck={false}
            onChange={(event) => setNumbers(event.currentTarget.value)}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={state.other !== null}
            onChange={(event) => onChange({ other: event.currentTarget.checked ? [...state.p] : null, models: [] })}
          />
          Two predictions side by side
        </label>
        <div class="shapes" role="group" aria-label="Prediction">
          <span>Prediction</span>
          {shapes(k, at).map(([name, p]) => (
            <button key={name} type="button" onClick={() => onChange({ p })}>
              {name}
            </button>
          ))}
        </div>
      </div>
      {complaint && (
        <p class="complaint" role="alert">
          {complaint}
        </p>
      )}
    </details>
  );
}
