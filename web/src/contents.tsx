/** The stops of the text, and the reader's own rows before them. */

import type { Change } from "./controls";
import type { Data } from "./data";
import type { State } from "./state";
import { stateOfData } from "./own";
import { STOPS } from "./stops";
import { brief } from "./text";

interface StopsProps {
  stop: number;
  data: Data | null;
  state: State;
  onGo: (stop: number) => void;
  onChange: Change;
}

export function Stops({ stop, data, state, onGo, onChange }: StopsProps) {
  const first = data ? 0 : 1;
  return (
    <nav class="stops" aria-label="Seven stops">
      {data && <Own {...{ data, state, onGo, onChange }} active={stop === 0} />}
      <ol>
        {STOPS.map(({ title, text, advice }, n) => (
          <li key={title} class={stop === n + 1 ? "stop active" : "stop"}>
            <h2>
              <button type="button" aria-expanded={stop === n + 1} onClick={() => onGo(n + 1)}>
                <span class="number">{n + 1}</span>
                {title}
              </button>
            </h2>
            <div class="body">
              {text}
              <p class="advice">{advice}</p>
            </div>
          </li>
        ))}
      </ol>
      <p class="pager">
        <button type="button" disabled={stop <= first} onClick={() => onGo(stop - 1)}>
          ‹ Back
        </button>
        <span>
          {stop ? `${stop} of ${STOPS.length}` : "your data"}
        </span>
        <button type="button" disabled={stop >= STOPS.length} onClick={() => onGo(stop + 1)}>
          Next ›
        </button>
      </p>
    </nav>
  );
}

/** The reader's own rows: which one, and which two losses trained the predictions. */
function Own({ data, state, active, onGo, onChange }: Omit<StopsProps, "stop"> & { data: Data; active: boolean }) {
  const row = data.rows[state.row];
  const pick = (part: Partial<State>) => onChange({ ...stateOfData(data, part.row ?? state.row, part.models ?? state.models), losses: state.losses });
  const [a, b] = state.models;
  return (
    <div class={active ? "stop own active" : "stop own"}>
      <h2>
        <button type="button" aria-expanded={active} onClick={() => onGo(0)}>
          <span class="number">★</span>
          Your data: {data.target}
        </button>
      </h2>
      {active && row && (
        <div class="body">
          <p>
            Held-out row {row.number} of {data.name}. The truth is{" "}
            <b>{data.numbers ? brief(row.value) : data.ground.labels[row.at]}</b>. The networks are alike but for the loss they
            were trained with.
          </p>
          <p class="picks">
            <label>
              row
              <select value={state.row} onChange={(event) => pick({ row: Number(event.currentTarget.value) })}>
                {data.rows.map(({ number, why }, n) => (
                  <option key={n} value={n}>
                    {number}: {why}
                  </option>
                ))}
              </select>
            </label>
            {[a, b].map((model, side) =>
              model === undefined ? null : (
                <label key={side}>
                  {side ? "against" : "trained with"}
                  <select
                    value={model}
                    onChange={(event) => {
                      const models = [...state.models];
                      models[side] = event.currentTarget.value;
                      pick({ models });
                    }}
                  >
                    {Object.keys(row.probs).map((name) => (
                      <option key={name}>{name}</option>
                    ))}
                  </select>
                </label>
              ),
            )}
          </p>
          <p class="advice">The bars are yours to drag: see what each loss would have said.</p>
        </div>
      )}
    </div>
  );
}
