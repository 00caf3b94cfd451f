/** Where the page starts: in a browser it draws itself; without one it only computes. */

import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { App } from "./app";
import { firstRow, stateOfData } from "./own";
import { readData, type Data } from "./data";
import { descend, MOST_STEPS } from "./descent";
import { judge, parse, softmax } from "./maths";
import { pasted } from "./pasted";
import { fromHash, groundOf, toHash, type State } from "./state";
import { STOPS } from "./stops";

const stopState = (data: Data | null) => (stop: number, row?: number, models?: string[]): State | null =>
  stop === 0 ? (data ? stateOfData(data, row ?? firstRow(data), models) : null) : (STOPS[stop - 1]?.state ?? null);

/** The state to open with, and what was wrong with the address or the data. */
function opening(data: Data | null, hash: string): [State, string | null] {
  const first = stopState(data)(data ? 0 : 1)!;
  if (hash.length < 2) return [first, null];
  const found = fromHash(hash, data, stopState(data));
  return typeof found === "string" ? [first, found] : [found, null];
}

function Page({ root, data, wrong }: { root: HTMLElement; data: Data | null; wrong: string | null }) {
  const [[state, complaint], setState] = useState(() => {
    const [state, complaint] = opening(data, location.hash);
    return [state, wrong ?? complaint] as [State, string | null];
  });
  const [width, setWidth] = useState(() => stageWidth(root));
  const written = useRef(location.hash);
  useEffect(() => {
    const resized = () => setWidth(stageWidth(root));
    const moved = () => {
      if (location.hash !== written.current) setState(opening(data, location.hash));
    };
    addEventListener("resize", resized);
    addEventListener("hashchange", moved);
    resized();
    return () => {
      removeEventListener("resize", resized);
      removeEventListener("hashchange", moved);
    };
  }, []);
  useEffect(() => {
    // Browsers refuse an address that changes with every pixel of a drag.
    const timer = setTimeout(() => {
      const hash = toHash(state, stopState(data)(state.stop));
      if (complaint || hash === location.hash) return;
      written.current = hash;
      history.replaceState(null, "", hash);
    }, 150);
    return () => clearTimeout(timer);
  }, [state, complaint]);
  return <App state={state} data={data} complaint={complaint} width={width} onState={(next) => setState([next, null])} />;
}

function stageWidth(root: HTMLElement): number {
  const stage = root.querySelector<HTMLElement>(".stage");
  if (!stage) return 760;
  const { paddingLeft, paddingRight } = getComputedStyle(stage);
  return Math.max(Math.floor(stage.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight)), 260);
}

function start(): void {
  const root = document.getElementById("app")!;
  document.documentElement.classList.replace("static", "live");
  const found = readData(document.getElementById("data")!.textContent ?? "null");
  const [data, wrong] = typeof found === "string" ? [null, found] : [found, null];
  root.replaceChildren();
  render(<Page root={root} data={data} wrong={wrong} />, root);
}

if (typeof document !== "undefined") start();
// For `check.mjs`, which runs the built page's own script in Node.
else Object.assign(globalThis, { offby: { descend, MOST_STEPS, groundOf, judge, parse, pasted, softmax, STOPS, stateOfData, toHash, fromHash, readData } });
