/** The error function and its complement, in doubles. */

const ROOT_PI = Math.sqrt(Math.PI);

/** erf by its series; every term is positive, so no digit is lost. */
function series(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; term > total * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / ROOT_PI) * Math.exp(-x * x) * total;
}

/** erfc by its continued fraction, from the inside out; for x from 2 up. */
function fraction(x: number): number {
  let tail = 0;
  for (let n = 60; n > 0; n--) tail = n / 2 / (x + tail);
  return Math.exp(-x * x) / ROOT_PI / (x + tail);
}

export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  return x < 2 ? 1 - series(x) : fraction(x);
}

export const erf = (x: number): number => (Math.abs(x) < 2 ? Math.sign(x) * series(Math.abs(x)) : 1 - erfc(x));
