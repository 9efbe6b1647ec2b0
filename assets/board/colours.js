// Colours from Streamlit's theme, and what the cells are coloured by: one perceptual map for scores, a ramp for each else.

import { milliseconds, percent, score } from "./words.js";

const STEPS = 256;
const KINDS = ["conv", "stream", "linear", "ffn", "heads", "embedding"]; // as chartCategoricalColors are listed
const LIKE = { "head-dims": "heads", experts: "ffn", "experts-ffn": "ffn", positions: "ffn", recurrent: "linear" }; // drawn as

const LOST = { light: "#a8481f", dark: "#e8966c" }; // what a cut takes from the metric, wherever it is shown
const QUICK = { light: "#5b4fae", dark: "#a79cf0" }; // time that is saved

/**
 * What cells can be coloured by. `known`: whether the rows have it; `of`: a row's values for its first, second, … unit;
 * `range`: of all rows, `ends`: the same in words.
 */
export const SCALES = {
  score: {
    label: "score",
    help: "The score of every unit, lowest first.",
    known: () => true,
    of: (rows, row) => rows.groups[row].scores,
    range: (rows) => rows.range,
    ends: (rows) => rows.range.map(score),
  },
  loss: {
    label: "loss when cut",
    help: "What the metric loses when a row loses all units up to here and nothing else is cut.",
    known: (rows) => rows.span !== null,
    of: (rows, row) => rows.curves[row] && each(rows, row, (count) => rows.loss(row, count)),
    range: (rows) => [0, (rows.most.loss ??= most(rows, rows.curves, (row, count) => rows.loss(row, count)))],
    ends: (rows) => [0, SCALES.loss.range(rows)[1]].map((loss) => points(loss, rows.metric)),
  },
  latency: {
    label: "latency",
    help: "The time that is saved when a row loses all units up to here and nothing else is cut.",
    known: (rows) => rows.clock !== null,
    of: (rows, row) => rows.groups[row].times && each(rows, row, (count) => rows.saved(row, count)),
    range: (rows) => [0, (rows.most.latency ??= most(rows, rows.groups.map(({ times }) => times), (row, count) => rows.saved(row, count)))],
    ends: (rows) => SCALES.latency.range(rows).map((ms) => `${ms ? "−" : ""}${milliseconds(ms)}`),
  },
};

/** A change for the worse: "−12.5%", or "+0.31" of a metric of which less is better. */
function points(loss, { share, higher }) {
  if (!loss) return "±0";
  return `${higher ? "−" : "+"}${share ? percent(loss, 1) : loss.toFixed(3)}`;
}

function each(rows, row, value) {
  return Array.from({ length: rows.groups[row].units }, (_, unit) => value(unit + 1));
}

/** The largest of the values of the rows that were `measured`, at every tenth of their units. */
function most(rows, measured, value) {
  const tenths = Array.from({ length: 10 }, (_, i) => (i + 1) / 10);
  const counts = ({ units }) => tenths.map((part) => Math.max(1, Math.round(part * units)));
  const found = rows.groups.flatMap((group, row) => (measured[row] ? counts(group).map((count) => value(row, count)) : []));
  return Math.max(0, ...found) || 1;
}

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
  const scheme = luminance(background) < 0.5 ? "dark" : "light";
  const ramped = (colour) => [mix(background, colour, 0.14), colour]; // no grey in it: that is what leaves
  const [loss, latency] = [LOST, QUICK].map((colours) => ramped(colours[scheme]));
  const stops = { score: list("chart-sequential-colors"), loss, latency };
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
    stops,
    ramps: Object.fromEntries(Object.entries(stops).map(([name, colours]) => [name, ramp(colours.map(rgb))])),
    gone: ramp([mix(background, text, 0.24), mix(background, text, 0.11)].map(rgb)),
    kind: (kind) => kinds[Math.max(KINDS.indexOf(LIKE[kind] ?? kind), 0)],
    font: variable("font") || "sans-serif",
  };
}

function luminance(colour) {
  const [red, green, blue] = rgb(colour);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}

/** One pixel per unit in ascending order: coloured by a ramp above, and as it looks when it leaves below. */
export function strip(scores, low, high, ramp, gone) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [scores.length, 2];
  const context = canvas.getContext("2d");
  const image = context.createImageData(scores.length, 2);
  scores.forEach((score, i) => {
    const level = high > low ? Math.min(Math.max((score - low) / (high - low), 0), 1) : 0.5;
    const step = 3 * Math.round((Number.isFinite(level) ? level : 0) * (STEPS - 1));
    image.data.set([...ramp.slice(step, step + 3), 255], 4 * i);
    image.data.set([...gone.slice(step, step + 3), 255], 4 * (scores.length + i));
  });
  context.putImageData(image, 0, 0);
  return canvas;
}
