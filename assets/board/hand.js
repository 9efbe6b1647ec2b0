// What hands do on the rows: drags, clicks, keys. Talks to the board by a few verbs only.

import { next } from "./rows.js";

const SLIP = 3; // pixels that a click may move
const REACH = 14; // pixels around the line that grab it where it is

/** One drag of one or several lines, or a click on a cell. */
export class Drag {
  constructor(board, row, event) {
    const strip = event.currentTarget.getBoundingClientRect();
    const group = board.rows.groups[row];
    Object.assign(this, { board, row, from: event.clientX, left: strip.left, cell: strip.width / group.units });
    this.rows = board.rows.together(row);
    this.start = new Map(this.rows.map((other) => [other, board.rows.removed[other]]));
    this.begin = board.rows.removed[row];
    const grabbed = Math.abs(event.clientX - strip.left - this.begin * this.cell) <= REACH;
    this.offset = grabbed ? 0 : (event.clientX - strip.left) / this.cell - this.begin;
    this.moved = false;
  }

  move(event) {
    const by = event.clientX - this.from;
    if (!this.moved && Math.abs(by) < SLIP) return;
    this.moved = true;
    const units = this.board.rows.groups[this.row].units;
    this.shift((this.offset + by / this.cell) / units);
  }

  /** Move every line of the gesture by the same fraction of its group. */
  shift(fraction) {
    const { rows } = this.board;
    for (const [row, start] of this.start) rows.set(row, start + fraction * rows.groups[row].units);
    this.board.changed();
  }

  end(event) {
    if (this.moved) return this.board.commit();
    if (this.board.rows.groups[this.row].block) return this.board.toggle(this.row);
    const place = Math.floor((event.clientX - this.left) / this.cell);
    return this.board.inspect(this.row, place);
  }

  cancel() {
    for (const [row, start] of this.start) this.board.rows.set(row, start);
    this.board.changed();
  }
}

const STEPS = { ArrowRight: 1, "+": 1, ArrowLeft: -1, "-": -1 };
const JUMPS = { PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1 };

/** A key on a row's slider; true where it meant something. */
export function press(board, row, event) {
  const { rows } = board;
  const key = event.key;
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (rows.groups[row].block && (key === " " || key === "Enter")) board.toggle(row);
  else if (key in STEPS) nudge(board, row, STEPS[key]);
  else if (key in JUMPS) jump(board, row, JUMPS[key]);
  else if (key === "ArrowDown") board.goTo(row + 1);
  else if (key === "ArrowUp") board.goTo(row - 1);
  else if (key === "l" || key === "L") board.lock(row);
  else if (key === " ") board.pick(row, event.shiftKey);
  else if (key === "Enter") board.type(row, String(rows.kept(row)));
  else if (/^\d$/.test(key)) board.type(row, key);
  else if (key === "i" || key === "I") board.inspect(row, Math.min(rows.removed[row], rows.groups[row].units - 1));
  else if (key === "Escape" && rows.picked.size) board.unpick();
  else return false;
  return true;
}

function nudge(board, row, by) {
  const { rows } = board;
  for (const other of rows.together(row)) rows.set(other, next(rows.groups[other], rows.removed[other], by));
  board.changed();
  board.settle();
}

function jump(board, row, fraction) {
  const { rows } = board;
  for (const other of rows.together(row)) {
    const by = Math.sign(fraction) * Math.max(1, Math.abs(fraction) * rows.groups[other].units);
    rows.set(other, rows.removed[other] + by);
  }
  board.changed();
  board.settle();
}

/** Units that stay, from what was typed: a count, or a percentage; null where it is neither. */
export function typed(text, units) {
  const found = /^\s*(\d+(?:[.,]\d+)?)\s*(%?)\s*$/.exec(text);
  if (!found) return null;
  const number = Number(found[1].replace(",", "."));
  return Math.round(found[2] ? (number / 100) * units : number);
}
