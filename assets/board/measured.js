// What was measured of a group alone, in words: the small charts read aloud, and what stands under the pointer.

import { between } from "./clock.js";
import { change, milliseconds, percent } from "./words.js";

function metric(rows, value) {
  return rows.metric.share ? percent(value, 1) : value.toFixed(3).replace("-", "−");
}

function channels(group, kept) {
  return `${kept * group.unit} of ${group.size} channels`;
}

/** {curve, time}: a row's small charts, each as sentences; null where nothing was measured. */
export function reading(rows, row) {
  const group = rows.groups[row];
  return { curve: group.curve && curveWords(rows, row), time: group.times && timeWords(rows, row) };
}

function curveWords(rows, row) {
  const said = rows.curves[row].slice(1).map(([gone, value]) => `${metric(rows, value)} without ${percent(gone)}`);
  const now = rows.removed[row] ? `; as set here ${metricNow(rows, row)}` : "";
  return `Sensitivity, cut alone: ${rows.metric.label} ${metricWhole(rows, row)}, ${said.join(", ")}${now}.`;
}

function timeWords(rows, row) {
  const now = rows.removed[row] ? `; as set here ${timeNow(rows, row)}` : "";
  const whole = `${milliseconds(rows.clock.base)} whole`;
  return `Latency, cut alone: ${whole}, ${fastest(rows, row)}${now}. ${cliffWords(rows.groups[row])}`;
}

function metricWhole(rows, row) {
  return `${metric(rows, rows.curves[row][0][1])} whole`;
}

function metricNow(rows, row) {
  return `about ${metric(rows, between(rows.curves[row], rows.share(row)))}`;
}

function timeNow(rows, row) {
  const [{ clock }, kept] = [rows, rows.kept(row)];
  return `${milliseconds(clock.base + clock.delta(row, kept))} with ${percent(clock.macs(row, kept), 1)} of the MACs`;
}

function fastest({ clock, groups }, row) {
  const [kept, ms] = groups[row].times.reduce((one, other) => (other[1] <= one[1] ? other : one));
  return `fastest ${milliseconds(clock.base + ms)} with ${channels(groups[row], kept)}`;
}

/** The same in one line: what the row is as set here or, where nothing is cut, what it can be. */
export function brief(rows, row) {
  const [group, cut, said] = [rows.groups[row], rows.removed[row] > 0, []];
  if (group.curve) {
    const [gone, value] = rows.curves[row][rows.curves[row].length - 1];
    const now = cut ? metricNow(rows, row) : `${metric(rows, value)} without ${percent(gone)}`;
    said.push(`${rows.metric.label} ${now} (${metricWhole(rows, row)})`);
  }
  if (group.times) {
    const now = cut ? timeNow(rows, row) : fastest(rows, row);
    said.push(`latency ${now} (${milliseconds(rows.clock.base)} whole)`);
  }
  if (!said.length) return "";
  return `Cut alone${cut ? " as set here" : ""}: ${said.join("; ")}. ${group.times ? cliffWords(group) : ""}`;
}

function cliffWords({ cliffs, unit }) {
  if (!cliffs.length) return "No cliffs.";
  const said = cliffs.map(([from, to, ms]) => `${from * unit} to ${to * unit} channels ${signed(ms)}`);
  return `${cliffs.length === 1 ? "Cliff" : "Cliffs"}: ${said.join(", ")}.`;
}

function signed(ms) {
  return `${ms < 0 ? "−" : "+"}${milliseconds(Math.abs(ms))}`;
}

/** What the tip says of a small chart at a fraction of the group: the measured point that is nearest. */
export function chartFacts(rows, row, name, fraction) {
  return name === "curve" ? curveFacts(rows, row, fraction) : timeFacts(rows, row, fraction);
}

function nearest(points, place, at) {
  return points.reduce((one, other) => (Math.abs(place(other) - at) < Math.abs(place(one) - at) ? other : one));
}

function curveFacts(rows, row, fraction) {
  const [{ label }, points] = [rows.metric, rows.curves[row]];
  const [at, value] = nearest(points, ([place]) => place, fraction);
  const facts = [[label, metric(rows, value)], ["Whole network", metric(rows, points[0][1])]];
  return [at ? `Without ${percent(at)}, all else whole` : "Nothing cut", facts];
}

function timeFacts(rows, row, fraction) {
  const [{ clock }, group] = [rows, rows.groups[row]];
  const [kept, ...ms] = nearest(group.times, ([count]) => 1 - count / group.units, fraction);
  const [value, low, high] = ms.map((each) => clock.base + each);
  const facts = [["Latency", `${milliseconds(value)}, ${change(clock.base, value)}`]];
  if (kept < group.units) facts.push(["95% interval", `${milliseconds(low)} to ${milliseconds(high)}`]);
  facts.push(["MACs", `${percent(clock.macs(row, kept), 1)} of the whole network's`]);
  const cliff = group.cliffs.find(([, to]) => to === kept);
  if (cliff) {
    const what = cliff[3] === "slower" ? "slower with fewer channels" : "falls at once";
    facts.push(["Cliff", `${signed(cliff[2])} from ${cliff[0] * group.unit} channels: ${what}`]);
  }
  return [kept < group.units ? `${channels(group, kept)}, all else whole` : "Nothing cut", facts];
}
