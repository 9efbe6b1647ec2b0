// Colours from Streamlit's theme, and one perceptual map for scores.

const STEPS = 256;
const KINDS = ["conv", "stream", "linear", "ffn", "heads", "embedding"]; // as chartCategoricalColors are listed
const LIKE = { "head-dims": "heads", experts: "ffn", "experts-ffn": "ffn", positions: "ffn", recurrent: "linear" }; // drawn as

const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Red, green, blue and opacity of a colour as CSS writes it, each from 0 to 255. */
export function rgba(colour) {
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = "#808080";
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data];
}

function rgb(colour) {
  return rgba(colour).slice(0, 3);
}

export function mix(a, b, part) {
  const [from, to] = [rgb(a), rgb(b)];
  return `rgb(${from.map((value, i) => Math.round(value + (to[i] - value) * part)).join(" ")})`;
}

function ramp(stops) {
  const found = new Uint8ClampedArray(STEPS * 3);
  for (let step = 0; step < STEPS; step++) {
    const at = (step / (STEPS - 1)) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    for (let i = 0; i < 3; i++) found[3 * step + i] = stops[low][i] + (at - low) * (stops[low + 1][i] - stops[low][i]);
  }
  return found;
}

/** The theme as `element` sees it; see `palette.kind` for a group's colour. */
export function palette(element) {
  const style = getComputedStyle(element);
  const variable = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const list = (name) => variable(name).split(/,(?![^(]*\))/).map((colour) => colour.trim());
  const [background, text] = [variable("background-color"), variable("text-color")];
  const kinds = list("chart-categorical-colors");
  return {
    background,
    text,
    accent: variable("primary-color"),
    muted: mix(background, text, 0.55),
    faint: mix(background, text, 0.13),
    leaving: mix(background, text, 0.2),
    wash: mix(background, text, 0.04),
    cliff: kinds[1], // as on the Sensitivity page
    tint: mix(background, variable("primary-color"), 0.1),
    scores: ramp(list("chart-sequential-colors").map(rgb)),
    gone: ramp([mix(background, text, 0.24), mix(background, text, 0.11)].map(rgb)),
    kind: (kind) => kinds[Math.max(KINDS.indexOf(LIKE[kind] ?? kind), 0)],
    font: variable("font") || "sans-serif",
  };
}

/** One pixel per unit in ascending order: coloured above, and as it looks when it leaves below. */
export function strip(scores, low, high, colours) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [scores.length, 2];
  const context = canvas.getContext("2d");
  const image = context.createImageData(scores.length, 2);
  scores.forEach((score, i) => {
    const level = high > low ? Math.min(Math.max((score - low) / (high - low), 0), 1) : 0.5;
    const step = 3 * Math.round((Number.isFinite(level) ? level : 0) * (STEPS - 1));
    image.data.set([...colours.scores.slice(step, step + 3), 255], 4 * i);
    image.data.set([...colours.gone.slice(step, step + 3), 255], 4 * (scores.length + i));
  });
  context.putImageData(image, 0, 0);
  return canvas;
}
