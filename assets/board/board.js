// The board: takes Python's document, shows it, and commits what a person does.

import { SCALES, palette } from "./colours.js";
import { Drag, press, typed } from "./hand.js";
import { brief, chartFacts } from "./measured.js";
import { Painter } from "./paint.js";
import { Counters, Foot, Tip, make, unitFacts } from "./parts.js";
import { Row } from "./row.js";
import { Rows } from "./rows.js";
import { Colouring, Together } from "./tools.js";
import { chartAt, layOut, look, rowAt, unitAt, within, zoomOf } from "./view.js";

const SETTLED = 250; // milliseconds after the last key until it counts as done
const ALL = 30; // rows that are shown without a scroller of their own
const BESIDE = 96; // pixels of a window that a board of more rows leaves to what stands above it
const HEADINGS = {
  network: [["Network"], "Thickness: channels, or the flow where it is measured. Grey: what leaves."],
  name: [["Group"], ""],
  stays: [["Stays"], "Units that stay. Click a number to type another, such as 24 or 75%."],
  share: [["MACs"], "Share of the whole model's MACs that removing all of it would save"],
  curve: [
    ["Sensitivity"],
    "The metric when this group alone loses units: none at the left, all at the right. Dot: as set here.",
  ],
  time: [
    [["i.full"], "Time", ["i.dashed"], "MACs"],
    "Of the whole network when this group alone loses units: none at the left, all at the right, one scale for all " +
      "rows. Dot: as set here. Diamonds: cliffs, where fewer channels are slower or the time falls at once.",
  ],
};

export class Board {
  /**
   * @param asked called with "loss" or "latency" where a person wants to see what is not measured yet; without it
   *   nothing unmeasured is offered
   */
  constructor(parent, asked = null) {
    this.asked = asked;
    this.onCost = null; // called with the cost at every change, and {rows, target, moving}: whether a hand is at it
    this.counters = new Counters();
    this.foot = new Foot();
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.sheet = make("div.sheet", {}, this.canvas);
    this.scroll = make("div.scroll", {}, this.sheet);
    this.columns = make("div.columns");
    this.spoken = make("div.spoken", { "aria-live": "polite" });
    this.colouring = new Colouring(this);
    this.together = new Together(this);
    this.root = make("div.board", { role: "group", "aria-label": "Cut lines of all groups" });
    this.tip = new Tip(this.root);
    const [counters, together, foot, tip] = [this.counters, this.together, this.foot, this.tip].map(({ element }) => element);
    this.root.append(counters, this.columns, this.scroll, together, foot, this.spoken, tip);
    parent.append(this.root);
    this.painter = new Painter(this.canvas);
    this.shown = new Map();
    this.spare = [];
    this.stages = [];
    Object.assign(this, { rows: null, revision: null, id: null, drag: null, frame: 0, timer: 0 });
    Object.assign(this, { active: 0, hover: null, selected: null, theme: "", last: 0 });
    Object.assign(this, { mode: "score", shared: true, target: null });
    this.listen();
  }

  // What Python says ------------------------------------------------------------------------------------------

  /** `fixed` stays while a person drags, `state` is small and carries the revision. */
  update(fixed, state, send) {
    this.send = send;
    const other = fixed.id !== this.id;
    if (other) this.open(fixed);
    if (other || state.revision !== this.revision) this.adopt(state);
    this.counters.begin(this.rows.whole, this.rows.latency, state.target);
    this.counters.element.hidden = fixed.head === false;
    this.target = state.target;
    this.root.classList.toggle("measured", this.rows.groups.some(({ curve, times }) => curve || times));
    this.height = fixed.height;
    this.recolour();
    this.arrange();
    this.changed();
  }

  open(fixed) {
    const kept = this.rows && this.selected !== null ? this.rows.groups[this.selected].name : null;
    for (const row of [...this.shown.keys()]) this.retire(row);
    this.rows = new Rows(fixed);
    if (!SCALES[this.mode].known(this.rows)) this.mode = "score";
    this.id = fixed.id;
    this.active = Math.min(this.active, Math.max(this.rows.count - 1, 0));
    this.selected = this.rows.place.get(kept) ?? null;
    this.hover = null;
    this.painter.reset();
  }

  adopt(state) {
    clearTimeout(this.timer);
    this.drag = null;
    this.root.classList.remove("dragging");
    this.revision = state.revision;
    this.rows.adopt(state.removed, state.locked, state.out);
  }

  // What a person does ----------------------------------------------------------------------------------------

  /** Counts have changed: the numbers follow at once, the picture with the next frame. */
  changed() {
    const cost = this.rows.cost();
    this.counters.show(cost);
    this.onCost?.(cost, { rows: this.rows, target: this.target, moving: this.drag !== null });
    this.draw();
  }

  commit(extra = {}) {
    clearTimeout(this.timer);
    this.timer = 0;
    this.spoken.textContent = this.counters.spoken();
    const selected = this.selected === null ? null : this.rows.groups[this.selected].name;
    this.send({ revision: this.revision, ...this.rows.toCommit(), selected, inspect: null, ...extra });
  }

  settle() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.commit(), SETTLED);
  }

  inspect(row, place) {
    const group = this.rows.groups[row];
    if (group.order === null || place < 0 || place >= group.units) return;
    this.selected = row;
    this.draw();
    this.commit({ inspect: { group: group.name, unit: group.order[place] } });
  }

  lock(row) {
    if (this.rows.groups[row].most === 0 || this.rows.groups[row].block) return;
    if (!this.rows.locked.delete(row)) this.rows.locked.add(row);
    this.draw();
    this.commit();
  }

  pick(row, range = false) {
    const { picked, groups } = this.rows;
    if (groups[row].block) return;
    const from = Math.min(row, this.last);
    const several = Array.from({ length: Math.abs(row - this.last) + 1 }, (_, i) => from + i);
    if (range) for (const at of several.filter((other) => !groups[other].block)) picked.add(at);
    else if (!picked.delete(row)) picked.add(row);
    this.last = row;
    this.draw();
  }

  /** Take a whole block out, or put it back. */
  toggle(row) {
    if (!this.rows.set(row, this.rows.removed[row] ? 0 : 1)) return;
    this.changed();
    this.commit();
  }

  /** What the cells are coloured by, one of `SCALES`. */
  colour(mode) {
    this.mode = mode;
    this.painter.reset();
    this.legend();
    this.draw();
  }

  /** A person wants the cells coloured by what is not measured yet. */
  ask(mode) {
    this.asked?.(mode);
  }

  legend() {
    if (this.rows && this.colours) this.colouring.show(this.rows, this, this.asked !== null);
  }

  /** Whether the same score is the same colour in every group, or each group has its own scale. */
  scale(shared) {
    this.shared = shared;
    this.painter.reset();
    this.legend();
    this.draw();
  }

  unpick() {
    this.rows.picked.clear();
    this.draw();
  }

  select(row) {
    this.selected = this.selected === row ? null : row;
    this.draw();
    this.commit();
  }

  /** Give every picked row the same share to lose. */
  same(fraction) {
    for (const row of this.rows.picked) this.rows.set(row, fraction * this.rows.groups[row].units);
    this.changed();
    this.commit();
  }

  type(row, text) {
    if (!this.rows.free(row) || this.rows.groups[row].block) return;
    this.shown.get(row).edit(text, (value) => {
      const kept = value === null ? null : typed(value, this.rows.groups[row].units);
      if (kept === null || !this.rows.set(row, this.rows.groups[row].units - kept)) return;
      this.changed();
      this.commit();
    });
  }

  goTo(row) {
    if (row < 0 || row >= this.rows.count) return;
    this.activate(row);
    const top = this.view.top[row];
    const { scrollTop, clientHeight } = this.scroll;
    if (this.whole) this.shown.get(row).element.scrollIntoView({ block: "nearest" });
    else if (top < scrollTop + 40) this.scroll.scrollTop = top - 40;
    else if (top + this.view.height > scrollTop + clientHeight) {
      this.scroll.scrollTop = top + this.view.height - clientHeight + 8;
    }
    this.place();
    this.shown.get(row).strip.focus({ preventScroll: true });
    this.point(row);
  }

  activate(row) {
    this.active = row;
    for (const [at, part] of this.shown) part.reachable(at === row);
  }

  point(row) {
    if (row === this.hover) return;
    this.hover = row;
    this.draw();
  }

  listen() {
    const { sheet, scroll } = this;
    scroll.onscroll = () => {
      this.tip.hide();
      const { scrollTop, clientHeight } = scroll;
      const reached = scrollTop < this.view.from || scrollTop + clientHeight > this.view.to;
      if (reached || this.view.to - this.view.from < clientHeight) this.draw();
    };
    sheet.onclick = (event) => this.click(event);
    sheet.onkeydown = (event) => {
      const row = rowOf(event.target);
      if (event.key === "Escape" && this.drag) this.drop();
      else if (row === null || !event.target.classList.contains("strip") || !press(this, row, event)) return;
      event.preventDefault();
    };
    sheet.addEventListener("focusin", (event) => {
      const row = rowOf(event.target);
      if (row === null) return;
      this.activate(row);
      if (event.target.matches(":focus-visible")) this.point(row);
    });
    sheet.addEventListener("focusout", (event) => {
      if (!sheet.contains(event.relatedTarget) && !this.drag) this.point(null);
    });
    sheet.onpointermove = (event) => this.over(event);
    sheet.onpointerleave = () => {
      this.tip.hide();
      if (!this.drag) this.point(null);
    };
    this.resized = new ResizeObserver(() => this.rows && this.arrange());
    this.resized.observe(scroll);
    this.fit = () => this.rows && this.arrange();
    window.addEventListener("resize", this.fit);
  }

  click(event) {
    const row = rowOf(event.target);
    if (row === null) return;
    const part = event.target.closest("button, input");
    const many = event.ctrlKey || event.metaKey || event.shiftKey;
    if (part?.classList.contains("lock")) this.lock(row);
    else if (part?.classList.contains("stays")) this.type(row, String(this.rows.kept(row)));
    else if (part?.classList.contains("pick")) this.pick(row, event.shiftKey);
    else if (many && !event.target.classList.contains("strip")) this.pick(row, event.shiftKey);
    else if (part?.classList.contains("name")) this.select(row);
  }

  /** Pointer events of a strip: a press takes the line, or the cell where it does not move. */
  grab(event, row) {
    if (event.button !== 0 || event.target.closest("button")) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey) return this.pick(row, event.shiftKey);
    event.currentTarget.setPointerCapture(event.pointerId);
    this.drag = new Drag(this, row, event);
    this.tip.hide();
    this.root.classList.add("dragging");
  }

  release(event) {
    const { drag } = this;
    this.drag = null;
    this.root.classList.remove("dragging");
    drag?.end(event);
    if (drag?.moved) this.changed(); // the hand has let go
  }

  drop() {
    this.drag?.cancel();
    this.drag = null;
    this.root.classList.remove("dragging");
  }

  over(event) {
    if (this.drag) return this.drag.move(event);
    const [x, y] = within(this.sheet, event);
    const row = rowAt(this.view, y);
    this.point(row);
    const group = row === null || event.pointerType === "touch" ? null : this.rows.groups[row];
    const facts = group && this.facts(group, row, x, y);
    if (!facts) return this.tip.hide();
    this.tip.show(...within(this.root, event), ...facts);
  }

  /** What there is to say of a point of a row; null beside its cells and small charts. */
  facts(group, row, x, y) {
    const place = group.scores ? unitAt(this.view, row, group.units, x, y) : null;
    if (place !== null) return unitFacts(this.rows, row, place);
    const [name, fraction] = chartAt(this.view, row, x, y) ?? [];
    return name && group[name === "curve" ? "curve" : "times"] ? chartFacts(this.rows, row, name, fraction) : null;
  }

  // How it looks ----------------------------------------------------------------------------------------------

  recolour() {
    const style = getComputedStyle(this.root);
    const names = ["background-color", "text-color", "primary-color", "chart-sequential-colors"];
    const theme = names.map((name) => style.getPropertyValue(`--st-${name}`)).join();
    if (theme !== this.theme) {
      this.theme = theme;
      this.colours = palette(this.root);
      this.painter.reset();
    }
    this.legend();
  }

  /** Lay out for the present width. */
  arrange() {
    const width = this.scroll.clientWidth;
    if (!width) return;
    this.view = { ...layOut(width, this.rows), from: 0, to: 0, visible: [0, -1] };
    this.root.classList.toggle("narrow", !this.view.wide);
    const most = this.most();
    this.root.style.maxHeight = most === null ? "none" : `${most}px`;
    this.whole = most === null;
    this.root.classList.toggle("all", this.whole);
    this.sheet.style.height = `${this.view.total}px`;
    for (const [name, column] of Object.entries(this.view.columns)) {
      this.root.style.setProperty(`--${name}-x`, `${column?.x ?? 0}px`);
      this.root.style.setProperty(`--${name}-width`, `${column?.width ?? 0}px`);
      this.root.style.setProperty(`--${name}-y`, `${column?.y ?? 0}px`);
      this.root.style.setProperty(`--${name}-height`, `${column?.height ?? 0}px`);
    }
    this.root.style.setProperty("--row-height", `${this.view.height}px`);
    this.head();
    for (const [row, part] of this.shown) this.fill(part, row);
    this.draw();
  }

  /** How high the board may be in pixels; null for as high as its rows. */
  most() {
    if (this.height !== null) return this.height + (this.view.wide ? 0 : this.view.height);
    return this.rows.count <= ALL ? null : Math.max(window.innerHeight / zoomOf(this.root) - BESIDE, 320);
  }

  head() {
    const present = Object.entries(HEADINGS).filter(([name]) => this.view.columns[name]);
    this.columns.replaceChildren(
      ...present.map(([name, [label, help]]) => {
        const parts = label.map((part) => (typeof part === "string" ? part : make(...part)));
        return make(`span.${name}`, { "aria-hidden": "true", ...(help ? { title: help } : {}) }, ...parts);
      }),
      this.colouring.element,
    );
    for (const { element } of this.stages) element.remove();
    this.stages = this.view.stages.map((stage) => {
      const note = make("span");
      const element = make("div.stage", {}, make("b", {}, stage.name), note);
      element.style.transform = `translateY(${stage.top}px)`;
      this.sheet.append(element);
      return { ...stage, element, note };
    });
  }

  draw() {
    if (this.frame || !this.view) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.place();
      for (const part of this.shown.values()) this.dress(part);
      this.describe();
      const { rows, view, colours, mode, shared, hover, selected } = this;
      this.painter.paint({ rows, view, colours, mode, shared, hover, selected });
    });
  }

  /** Bring the controls of the visible rows, and of the active one, to their places. */
  place() {
    const { scrollTop, clientHeight } = this.scroll;
    this.view = this.whole ? look(this.view, 0, this.view.total) : look(this.view, scrollTop, clientHeight);
    const wanted = new Set(this.rows.count ? [this.active] : []);
    for (let row = this.view.visible[0]; row <= this.view.visible[1]; row++) wanted.add(row);
    for (const row of [...this.shown.keys()]) if (!wanted.has(row)) this.retire(row);
    for (const row of wanted) if (!this.shown.has(row)) this.employ(row);
  }

  retire(row) {
    const part = this.shown.get(row);
    part.element.remove();
    this.shown.delete(row);
    this.spare.push(part);
  }

  employ(row) {
    const part = this.spare.pop() ?? this.newRow();
    this.fill(part, row);
    const after = [...this.shown.keys()].filter((other) => other > row);
    this.sheet.insertBefore(part.element, after.length ? this.shown.get(Math.min(...after)).element : null);
    this.shown.set(row, part);
  }

  fill(part, row) {
    part.become(row, this.rows, this.view, (text) => this.measure(text));
    part.reachable(row === this.active);
  }

  newRow() {
    const part = new Row();
    part.strip.onpointerdown = (event) => this.grab(event, part.row);
    part.strip.onpointerup = (event) => this.drag && this.release(event);
    part.strip.onpointercancel = () => this.drop();
    return part;
  }

  measure(text) {
    const { context } = this.painter;
    context.font = `500 14px ${this.colours.font}`;
    return context.measureText(text).width;
  }

  dress(part) {
    part.show(this.rows, this.view);
    part.element.classList.toggle("pointed", part.row === this.hover);
    part.name.setAttribute("aria-pressed", String(part.row === this.selected));
  }

  describe() {
    const row = this.hover ?? this.selected;
    this.foot.show(row === null ? null : this.rows.groups[row], row === null ? "" : brief(this.rows, row));
    for (const stage of this.stages) {
      const groups = this.rows.groups.slice(stage.first, stage.last + 1);
      const whole = groups.reduce((sum, group) => sum + group.size, 0);
      const kept = groups.reduce((sum, group, at) => sum + this.rows.kept(stage.first + at) * group.unit, 0);
      stage.note.textContent = kept === whole ? `${whole} channels` : `${kept} of ${whole} channels stay`;
    }
    this.together.show(this.rows);
  }

  close() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.resized.disconnect();
    window.removeEventListener("resize", this.fit);
    this.root.remove();
  }
}

function rowOf(target) {
  const element = target.closest?.(".row");
  return element ? Number(element.dataset.row) : null;
}
