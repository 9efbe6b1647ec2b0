// How numbers and names read; counts as in explorer/ui/words.py.

const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** A count with three significant digits: "272 k", "41.0 M". */
export function count(value) {
  const number = Number(value);
  for (const [factor, prefix] of PREFIXES) {
    if (Math.abs(number) >= 0.9995 * factor) return `${three(number / factor)} ${prefix}`;
  }
  return number.toFixed(0);
}

export function three(value) {
  const size = Math.abs(value);
  return value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

/** Bytes in decimal units: "1.09 MB". */
export function bytes(value) {
  return Number(value) >= 999.5 ? `${count(value)}B` : `${Number(value).toFixed(0)} B`;
}

/** A length of time: "1.25 ms", "0.084 ms". */
export function milliseconds(value) {
  return `${Math.abs(value) < 1 ? Number(value.toPrecision(3)) : value >= 999.5 ? value.toFixed(0) : three(value)} ms`;
}

/** A share of a whole: "39%", "4.1%", "<0.1%". */
export function share(fraction) {
  if (fraction > 0 && fraction < 0.0005) return "<0.1%";
  return percent(fraction, fraction > 0 && fraction < 0.0995 ? 1 : 0);
}

export function percent(fraction, digits = 0) {
  return `${(100 * fraction).toFixed(digits)}%`;
}

/** A relative change: "−49.8%". */
export function change(before, after) {
  if (!Number(before)) return "–";
  const relative = 100 * (Number(after) / Number(before) - 1);
  return Math.abs(relative) < 0.05 ? "±0%" : `${relative > 0 ? "+" : "−"}${Math.abs(relative).toFixed(1)}%`;
}

/** A score with three significant digits. */
export function score(value) {
  if (!Number.isFinite(value)) return "none";
  const size = Math.abs(value);
  return size && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

/** `text` shortened in its middle, where layer names differ least, to fit `width` as `measure` tells. */
export function middle(text, width, measure) {
  if (measure(text) <= width) return text;
  let [low, high] = [2, text.length - 1];
  const shortened = (length) => {
    const head = Math.floor(length / 3);
    return `${text.slice(0, head)}…${text.slice(text.length - (length - head))}`;
  };
  while (low < high) {
    const length = Math.ceil((low + high) / 2);
    if (measure(shortened(length)) <= width) low = length;
    else high = length - 1;
  }
  return shortened(low);
}
