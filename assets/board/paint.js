// Draws the network, the strips and the curves of the visible rows onto one canvas.

import { between } from "./clock.js";
import { SCALES, strip } from "./colours.js";
import { zoomOf } from "./view.js";

const CELL_GAP_FROM = 5; // pixels of a cell from which gaps are drawn
const OTHERS = 0.38; // opacity of what the pointed row has nothing to do with
const MOST_STEPS = 24; // of the line of MACs
const TAIL = 12; // pixels by which the network's ends stick out

export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.strips = new Map();
  }

  /** Forget the strips: other scores, another theme or another scale. */
  reset() {
    this.strips.clear();
  }

  /**
   * @param scene {rows, view, colours, mode, shared, hover, selected}; `mode` is of `SCALES`; `view` has width, from and to (pixels of the sheet that the
   *   canvas covers), top (each row's), height (of a row), columns ({network, strip, curve, time, share}: null or
   *   {x, width, y, height} within its row), visible ([first, last] row) and spacing (of lanes)
   */
  paint(scene) {
    const { canvas, context } = this;
    const { view } = scene;
    const ratio = (window.devicePixelRatio || 1) * zoomOf(canvas);
    const [width, height] = [Math.round(view.width * ratio), Math.round((view.to - view.from) * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      [canvas.width, canvas.height] = [width, height];
      canvas.style.width = `${view.width}px`;
      canvas.style.height = `${view.to - view.from}px`;
    }
    canvas.style.transform = `translateY(${view.from}px)`;
    context.setTransform(ratio, 0, 0, ratio, 0, -view.from * ratio);
    context.clearRect(0, view.from, view.width, view.to - view.from);
    for (let row = view.visible[0]; row <= view.visible[1]; row++) this.ground(scene, row);
    if (view.columns.network) this.network(scene);
    for (let row = view.visible[0]; row <= view.visible[1]; row++) {
      this.strip(scene, row);
      if (view.columns.curve && scene.rows.curves[row]) this.curve(scene, row);
      if (view.columns.time && scene.rows.groups[row].times) this.time(scene, row);
      if (view.columns.share) this.share(scene, row);
    }
  }

  ground({ rows, view, colours, hover, selected }, row) {
    const { context } = this;
    const marked = rows.picked.has(row) || row === selected;
    if (!marked && row !== hover) return;
    context.fillStyle = marked ? colours.tint : colours.wash;
    context.fillRect(0, view.top[row] + 1, view.width, view.height - 2);
    context.fillStyle = colours.accent;
    if (row === selected) context.fillRect(0, view.top[row] + 1, 3, view.height - 2);
  }

  strip({ rows, view, colours, mode, shared }, row) {
    const { context } = this;
    const group = rows.groups[row];
    if (group.block) return;
    const { x, width, y, height } = view.columns.strip;
    const top = view.top[row] + y;
    context.save();
    context.beginPath();
    context.roundRect(x, top, width, height, 3);
    const image = this.stripOf(rows, row, colours, mode, shared);
    if (image === null) {
      context.strokeStyle = colours.faint;
      context.setLineDash([3, 3]);
      context.stroke();
      context.restore();
      return;
    }
    context.clip();
    const gone = rows.gone(row);
    const cell = width / group.units;
    context.imageSmoothingEnabled = false;
    if (gone > 0) context.drawImage(image, 0, 1, gone, 1, x, top, gone * cell, height);
    context.drawImage(image, gone, 0, group.units - gone, 1, x + gone * cell, top, width - gone * cell, height);
    if (cell >= CELL_GAP_FROM) {
      context.fillStyle = colours.background;
      for (let i = 1; i < group.units; i++) context.fillRect(Math.round(x + i * cell) - 0.5, top, 1, height);
    }
    if (rows.locked.has(row)) {
      context.globalAlpha = 0.55;
      context.fillStyle = colours.background;
      context.fillRect(x, top, width, height);
    }
    context.restore();
  }

  /** The row's cells; null where the row has nothing to colour them by. */
  stripOf(rows, row, colours, mode, shared) {
    if (!this.strips.has(row)) {
      const values = SCALES[mode].of(rows, row);
      const own = values && mode === "score" && !shared;
      const [low, high] = own ? [values[0], values[values.length - 1]] : SCALES[mode].range(rows);
      this.strips.set(row, values && strip(values, low, high, colours.ramps[mode], colours.gone));
    }
    return this.strips.get(row);
  }

  curve({ rows, view, colours }, row) {
    const plot = new Plot(this.context, view, view.columns.curve, row, rows.span);
    plot.line(rows.curves[row], colours.muted);
    plot.dot(rows.share(row), between(rows.curves[row], rows.share(row)), colours.accent);
  }

  /** The staircase over the line of MACs, both as shares of the whole network's, by the share of units that leaves. */
  time({ rows, view, colours }, row) {
    const [{ clock }, { units, times, cliffs }] = [rows, rows.groups[row]];
    const plot = new Plot(this.context, view, view.columns.time, row, rows.pace);
    const gone = (kept) => 1 - kept / units;
    const share = (ms) => 1 + ms / clock.base;
    plot.line(steps(times[0][0], units).map((kept) => [gone(kept), clock.macs(row, kept)]), colours.muted, [2, 2]);
    plot.line(times.map(([kept, ms]) => [gone(kept), share(ms)]), colours.text);
    for (const [, to] of cliffs) plot.cliff(gone(to), share(between(times, to)), colours);
    plot.dot(rows.share(row), share(clock.delta(row, rows.kept(row))), colours.accent);
  }

  share({ rows, view, colours }, row) {
    const { context } = this;
    const { x, width, y, height } = view.columns.share;
    context.fillStyle = colours.faint;
    context.fillRect(x, view.top[row] + y, width, height);
    context.fillStyle = colours.muted;
    context.fillRect(x, view.top[row] + y, (rows.groups[row].macs / rows.largest) * width, height);
  }

  network(scene) {
    const drawing = new Network(this.context, scene);
    for (const fork of scene.rows.lanes.forks) drawing.fork(fork);
    for (const join of scene.rows.lanes.joins) drawing.join(join);
    for (const row of scene.rows.lanes.entries) drawing.entry(row);
    for (const run of scene.rows.lanes.runs) drawing.run(run);
    for (let row = scene.view.visible[0]; row <= scene.view.visible[1]; row++) {
      if (scene.rows.groups[row].block) drawing.block(row);
      else drawing.node(row);
    }
    this.context.globalAlpha = 1;
  }
}

/** Widths from the least to all, few enough for a small line. */
function steps(least, units) {
  const count = Math.min(units - least, MOST_STEPS);
  return Array.from({ length: count + 1 }, (_, i) => Math.round(least + (i * (units - least)) / Math.max(count, 1)));
}

/** A small chart in a row: fractions from 0 to 1 across, values of a range upwards. */
class Plot {
  constructor(context, view, { x, width, y, height }, row, [low, high]) {
    this.context = context;
    this.across = (fraction) => x + 3 + fraction * (width - 6);
    this.down = (value) => view.top[row] + y + height - 3 - ((value - low) / (high - low || 1)) * (height - 6);
  }

  line(points, colour, dash = []) {
    const { context } = this;
    context.beginPath();
    for (const [fraction, value] of points) context.lineTo(this.across(fraction), this.down(value));
    context.lineWidth = 1.25;
    context.strokeStyle = colour;
    context.setLineDash(dash);
    context.stroke();
    context.setLineDash([]);
  }

  dot(fraction, value, colour) {
    const { context } = this;
    context.beginPath();
    context.arc(this.across(fraction), this.down(value), 2.75, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
  }

  cliff(fraction, value, { cliff, background }) {
    const [{ context }, x, y] = [this, this.across(fraction), this.down(value)];
    context.beginPath();
    for (const [across, down] of [[0, -1], [1, 0], [0, 1], [-1, 0]]) context.lineTo(x + 3.5 * across, y + 3.5 * down);
    context.closePath();
    context.fillStyle = cliff;
    context.fill();
    context.lineWidth = 1;
    context.strokeStyle = background;
    context.stroke();
  }
}

class Network {
  constructor(context, { rows, view, colours, hover }) {
    Object.assign(this, { context, rows, view, colours, hover, lanes: rows.lanes });
    this.left = view.columns.network.x + view.thickest / 2 + 3;
    this.flows = rows.groups.map((_, row) => rows.flow(row));
    this.first = view.from - view.height * 2;
    this.last = view.to + view.height * 2;
  }

  x(lane) {
    return this.left + lane * this.view.spacing;
  }

  y(row) {
    return this.view.top[row] + this.view.height / 2;
  }

  /** Pixels for a flow: its root, so that the narrow branches of a wide network still show. */
  thickness(total) {
    return Math.max(1.5, this.view.thickest * Math.sqrt(total / this.rows.widest));
  }

  /** What a run carries between `row` and the next. */
  carried(run, row) {
    const found = { total: 0, kept: 0 };
    for (const { group, from } of run.members) {
      if (from > row) break;
      found.total += this.flows[group].total;
      found.kept += this.flows[group].kept;
    }
    return found;
  }

  /** What leaves in grey, and over it what stays in colour. */
  stroke({ total, kept }, width, kind, related) {
    const { context } = this;
    context.globalAlpha = related || this.hover === null ? 1 : OTHERS;
    context.lineCap = "butt";
    context.lineWidth = width;
    context.strokeStyle = this.colours.leaving;
    context.stroke();
    if (total > 0 && kept > 0) {
      context.lineWidth = Math.max(0.75, (width * kept) / total);
      context.strokeStyle = this.colours.kind(kind);
      context.stroke();
    }
  }

  within(from, to) {
    return to >= this.first && from <= this.last;
  }

  run(run) {
    const { context, rows, view } = this;
    const x = this.x(run.lane);
    const kind = rows.groups[run.members[0].group].kind;
    for (let row = run.from; row < Math.min(run.to, rows.count); row++) {
      const from = this.y(row);
      let to = row + 1 < rows.count ? this.y(row + 1) : from + view.height / 2 + TAIL;
      if (row + 1 === run.to && run.end === "fork") to -= view.height / 2;
      if (row + 1 === run.to && run.end === "join") to += view.height / 2;
      if (row + 1 === run.to && run.end === "turn") to += view.height / 4;
      if (!this.within(from, to)) continue;
      const carried = this.carried(run, row);
      context.beginPath();
      context.moveTo(x, from);
      context.lineTo(x, to);
      this.stroke(carried, this.thickness(carried.total), kind, this.follows(run, row));
    }
  }

  /** Whether the pointed group is in this run between `row` and the next. */
  follows(run, row) {
    const member = run.members.find(({ group }) => group === this.hover);
    return member !== undefined && member.from <= row && this.lanes.reach[this.hover] > row;
  }

  bend(fromX, fromY, toX, toY) {
    const { context } = this;
    const middle = (fromY + toY) / 2;
    context.beginPath();
    context.moveTo(fromX, fromY);
    context.bezierCurveTo(fromX, middle, toX, middle, toX, toY);
  }

  fork({ run, row, groups }) {
    const y = this.y(row);
    const lane = this.lanes.place[row];
    if (run.lane === lane || !this.within(y - this.view.height, y)) return;
    const carried = this.carried(run, row - 1);
    const own = this.thickness(carried.total);
    const width = run.to === row ? own : Math.min(own, this.thickness(this.flows[row].total));
    this.bend(this.x(run.lane), y - this.view.height / 2, this.x(lane), y);
    const related = this.hover === row || groups.includes(this.hover);
    this.stroke(carried, width, this.rows.groups[run.members[0].group].kind, related);
  }

  join({ group, run, concat, row, late, early }) {
    const { height } = this.view;
    const y = this.y(row);
    if (!this.within(y, y + height)) return;
    const [from, to] = [y + (late ? height / 4 : 0), y + (early ? height / 4 : height / 2)];
    this.bend(this.x(this.lanes.place[group]), from, this.x(run.lane), to);
    const joined = concat ? [] : run.members.map((member) => member.group);
    const related = this.hover === group || joined.includes(this.hover);
    this.stroke(this.flows[group], this.thickness(this.flows[group].total), this.rows.groups[group].kind, related);
  }

  entry(row) {
    const y = this.y(row);
    if (!this.within(y - this.view.height, y)) return;
    const [{ context }, x] = [this, this.x(this.lanes.place[row])];
    context.beginPath();
    context.moveTo(x, y - this.view.height / 2 - 1);
    context.lineTo(x, y);
    context.globalAlpha = this.hover === null || this.hover === row ? 1 : OTHERS;
    context.setLineDash([2, 2]);
    context.lineWidth = 1.5;
    context.strokeStyle = this.colours.muted;
    context.stroke();
    context.setLineDash([]);
  }

  /** A square on the lane that the block adds to, filled as long as it stays. */
  block(row) {
    const { context } = this;
    const pointed = this.hover === row;
    const half = this.view.dot + (pointed ? 2 : 1);
    const [x, y] = [this.x(this.lanes.place[row]), this.y(row)];
    context.globalAlpha = 1;
    context.beginPath();
    context.roundRect(x - half, y - half, 2 * half, 2 * half, 2);
    context.fillStyle = this.rows.removed[row] ? this.colours.background : this.colours.accent;
    context.fill();
    context.lineWidth = 1.75;
    context.strokeStyle = this.rows.removed[row] && !pointed ? this.colours.muted : this.colours.accent;
    context.stroke();
  }

  node(row) {
    const { context } = this;
    const pointed = this.hover === row;
    const radius = Math.max(this.view.dot, this.thickness(this.flows[row].total) / 2) + (pointed ? 1 : 0);
    context.globalAlpha = 1;
    context.beginPath();
    context.arc(this.x(this.lanes.place[row]), this.y(row), radius, 0, 2 * Math.PI);
    context.fillStyle = pointed ? this.colours.accent : this.colours.background;
    context.fill();
    context.globalAlpha = pointed || this.hover === null ? 1 : 0.6;
    context.lineWidth = 1.75;
    context.strokeStyle = pointed ? this.colours.accent : this.colours.kind(this.rows.groups[row].kind);
    context.stroke();
  }
}
