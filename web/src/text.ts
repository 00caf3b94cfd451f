/** Numbers as people read them. */

import { plain } from "./grounds";

/** Three digits that matter; with a plus sign if asked for. */
export function amount(x: number, signed = false): string {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "–" : x > 0 ? "∞" : "−∞";
  const size = Math.abs(x);
  let text: string;
  if (size === 0) text = "0";
  else if (size < 1e-3 || size >= 1e6) {
    const [digits, power] = x.toExponential(1).split("e");
    text = `${digits} × 10${superscript(Number(power))}`;
  } else if (size >= 100) text = Math.round(x).toLocaleString("en");
  else text = x.toFixed(size >= 10 ? 1 : size >= 0.1 ? 2 : 3);
  text = text.replace("-", "\u2212");
  return signed && x > 0 ? `+${text}` : text;
}

const superscript = (n: number): string =>
  [...String(n)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)])).join("");

/** Two digits for a small place: .40, 12, 1e−4 as <.001. */
export function short(x: number): string {
  const size = Math.abs(x);
  const sign = x < 0 ? "\u2212" : "";
  if (size === 0) return "0";
  if (size < 0.0005) return "~0";
  if (size < 0.995) return sign + size.toFixed(size < 0.0095 ? 3 : 2).replace(/^0/, "");
  if (size < 9.95) return sign + plain(Number(size.toFixed(1)));
  if (size < 9999.5) return sign + Math.round(size);
  return sign + `${Math.round(size / 1000)}k`;
}

export const percent = (x: number): string => {
  const size = x * 100;
  if (size > 0 && size < 0.1) return "<0.1\u00a0%";
  return `${plain(Number(size.toFixed(size < 10 ? 1 : 0)))}\u00a0%`;
};

/** A number on an axis: four digits that matter, thousands apart. */
export function brief(x: number): string {
  const size = Math.abs(x);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return amount(x);
  const rounded = Number(x.toPrecision(4));
  return (size >= 1e4 ? rounded.toLocaleString("en") : String(rounded)).replace("-", "\u2212");
}
