/** The keyboard on a bar: change its mass, carry it, or choose the truth. */

import { carry, raise } from "./state";

export interface Act {
  p?: number[];
  to?: number;
  truth?: boolean;
}

/** What a key does on a bar. */
export function barKey(event: KeyboardEvent, p: number[], bin: number, k: number): Act | null {
  const next = (by: number) => Math.min(Math.max(bin + by, 0), k - 1);
  switch (event.key) {
    case "ArrowUp":
      return { p: raise(p, bin, p[bin] + 0.01) };
    case "ArrowDown":
      return { p: raise(p, bin, p[bin] - 0.01) };
    case "PageUp":
      return { p: raise(p, bin, p[bin] + 0.1) };
    case "PageDown":
      return { p: raise(p, bin, p[bin] - 0.1) };
    case "Home":
      return { p: raise(p, bin, 0) };
    case "End":
      return { p: raise(p, bin, 1) };
    case "ArrowLeft":
    case "ArrowRight": {
      const to = next(event.key === "ArrowLeft" ? -1 : 1);
      return event.shiftKey ? { p: carry(p, bin, to, 0.05), to: bin } : { to };
    }
    case "t":
    case "Enter":
      return { truth: true };
  }
  return null;
}
