// What the board holds: groups with their scores and whole blocks, what leaves, what is locked and what is picked.

import { amongRows, enclosing, woven } from "./blocks.js";
import { Clock, between } from "./clock.js";
import { compileCost } from "./cost.js";
import { layLanes } from "./lanes.js";

const BYTES = 4; // of a float32 weight

function unpacked(text, type) {
  if (text === null) return null;
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new type(bytes.buffer);
}

/** The number of units to remove nearest to `count` that can really be removed. */
export function allowed(group, count) {
  const wanted = Math.min(Math.max(Math.round(count), 0), group.most);
  if (group.snap < 2 || wanted === 0) return wanted;
  const least = Math.ceil(group.minimum / group.snap) * group.snap;
  const kept = Math.max(Math.round((group.units - wanted) / group.snap) * group.snap, least);
  return Math.max(0, group.units - kept);
}

/** The next number that can be removed, above (`by` = 1) or below (-1). */
export function next(group, count, by) {
  for (let other = count + by; other >= 0 && other <= group.most; other += by) {
    if (allowed(group, other) === other) return other;
  }
  return count;
}

export class Rows {
  constructor(fixed) {
    const groups = fixed.groups.map((group) => ({
      ...group,
      scores: unpacked(group.scores, Float32Array),
      order: unpacked(group.order, Uint32Array),
      flow: unpacked(group.flow, Float32Array),
      most: group.skipped === null ? group.units - group.minimum : 0,
    }));
    this.groups = woven(groups, fixed.blocks); // a row each, in network order
    this.count = this.groups.length;
    const numbers = [...this.groups.keys()];
    this.rowOf = numbers.filter((row) => !this.groups[row].block); // of every group that Python names
    this.blocks = numbers.filter((row) => this.groups[row].block);
    this.around = enclosing(this.groups);
    const names = groups.map((group) => group.name);
    this.place = new Map(this.rowOf.map((row) => [this.groups[row].name, row]));
    this.whole = fixed.whole;
    this.range = fixed.range;
    const polynomials = compileCost(fixed.cost, names, groups.map((group) => group.units), this.blocks.map((row) => this.groups[row]));
    this.price = (counts) => polynomials(this.rowOf.map((row) => counts[row]), this.outermost(counts));
    const at = (name) => (name === null ? -1 : names.indexOf(name));
    const lanes = layLanes(names.length, fixed.links.map(([source, target, layer]) => [at(source), at(target), layer]));
    this.lanes = amongRows(lanes, this.rowOf, this.groups);
    this.flows = this.groups.map(flowing);
    this.measured = this.groups.some((group) => group.flow !== null);
    this.removed = new Int32Array(this.count);
    this.locked = new Set();
    this.picked = new Set();
    this.most = {}; // the upper ends of the scales of colours that take a search
    this.largest = Math.max(0, ...this.groups.map((group) => group.macs)) || 1;
    this.widest = Math.max(0, ...this.lanes.runs.map((run) => this.sum(run))) || 1;
    this.curves = this.groups.map((group) => group.curve);
    const values = this.curves.flatMap((points) => (points ?? []).map(([, value]) => value));
    this.span = values.length ? [Math.min(...values), Math.max(...values)] : null; // what all curves range over
    this.metric = fixed.metric;
    this.latency = fixed.latency;
    this.clock = fixed.latency && new Clock(fixed.latency, this.groups, this.price);
    this.pace = this.clock && this.paces(); // what all staircases range over, as shares of the whole network's time
  }

  paces() {
    const shares = this.groups.flatMap(({ times }) => (times ?? []).map(([, ms]) => 1 + ms / this.clock.base));
    return [Math.min(1 - this.largest, ...shares), Math.max(1, ...shares)];
  }

  sum(run) {
    return run.members.reduce((total, { group }) => total + this.flows[group].total, 0);
  }

  /** What Python says of every group, and whether each block is out. */
  adopt(removed, locked, out = []) {
    this.rowOf.forEach((row, group) => (this.removed[row] = removed[group]));
    this.blocks.forEach((row, block) => (this.removed[row] = Number(out[block] ?? false)));
    this.locked = new Set(this.rowOf.filter((_, group) => locked[group]));
  }

  /** The numbers of the blocks whose count is none, without those inside others. */
  outermost(counts) {
    const out = (row) => counts[row] === 0;
    return [...this.blocks.keys()].filter((block) => {
      const row = this.blocks[block];
      return out(row) && !this.around[row].some(out);
    });
  }

  /** The row of a block that is out and takes this row with it; undefined where there is none. */
  goneWith(row) {
    return this.around[row].find((block) => this.removed[block] > 0);
  }

  free(row) {
    return this.groups[row].most > 0 && !this.locked.has(row) && this.goneWith(row) === undefined;
  }

  /** Set what leaves one group; false where nothing changes. */
  set(row, count) {
    const found = this.free(row) ? allowed(this.groups[row], count) : this.removed[row];
    const changes = found !== this.removed[row];
    this.removed[row] = found;
    return changes;
  }

  /** The rows that a gesture on `row` moves: all that are picked, if it is one of them. */
  together(row) {
    const rows = this.picked.has(row) ? [...this.picked] : [row];
    return rows.filter((other) => this.free(other));
  }

  /** How many units leave, by the row's own line or with a block. */
  gone(row) {
    return this.goneWith(row) === undefined ? this.removed[row] : this.groups[row].units;
  }

  kept(row) {
    return this.groups[row].units - this.gone(row);
  }

  share(row) {
    return this.gone(row) / this.groups[row].units;
  }

  /** How far the metric gets worse where the row's first `count` units leave and all else is whole. */
  loss(row, count) {
    const points = this.curves[row];
    const change = between(points, count / this.groups[row].units) - points[0][1];
    return Math.max(0, this.metric.higher ? -change : change);
  }

  /** The milliseconds that are saved where the row's first `count` units leave and all else is whole. */
  saved(row, count) {
    return Math.max(0, -this.clock.delta(row, this.groups[row].units - count));
  }

  /**
   * {params, macs, bytes} of what stays, and its latency in ms where that is known; `changes` gives other counts to
   * remove for some rows.
   */
  cost(changes = {}) {
    const counts = this.groups.map((group, row) => group.units - (changes[row] ?? this.gone(row)));
    const { params, macs } = this.price(counts);
    return { params, macs, bytes: Number(params) * BYTES, latency: this.clock?.predict(counts, macs) };
  }

  /** What flows through a group, relative to other groups, and the part of it that stays. */
  flow(row) {
    const { total, after } = this.flows[row];
    return { total, kept: total * after(this.gone(row)) };
  }

  /** The removed counts and blocks by name, as Python wants them. */
  toCommit() {
    const name = (row) => this.groups[row].name;
    const removed = Object.fromEntries(this.rowOf.filter((row) => this.removed[row]).map((row) => [name(row), this.removed[row]]));
    return { removed, locked: [...this.locked].map(name), blocks: this.blocks.filter((row) => this.removed[row]).map(name) };
  }
}

/** `total` flow, and the share that is left `after` a count of the lowest scores has gone: by flow, score or count. */
function flowing(group) {
  const positive = group.scores?.every((value) => value >= 0) && group.scores.some((value) => value > 0);
  const ranked = group.flow && group.order ? Array.from(group.order, (unit) => group.flow[unit]) : null;
  const weights = ranked ?? (positive ? group.scores : new Float32Array(group.units).fill(1));
  const sums = new Float64Array(group.units + 1);
  for (let i = 0; i < group.units; i++) sums[i + 1] = sums[i] + weights[i];
  const whole = sums[group.units];
  return { total: group.flow ? whole : group.size, after: (count) => (whole > 0 ? 1 - sums[count] / whole : 1) };
}
