// The board as a widget of a notebook: shows what Python holds, and tells Python what a person does.

import { Answer } from "./answer.js";
import { Board } from "./board.js";
import { make } from "./parts.js";
import { blend, watchSurroundings } from "./surroundings.js";

/* global STYLES -- put in front of this module by explorer/board/scripts.py */

export default {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.close();
  },
};

/** One of perhaps several places at which the same widget is shown. */
class View {
  constructor(model, el) {
    this.model = model;
    this.id = `${Math.random()}`;
    this.frame = make("div.frame");
    this.host = make("div", { "data-lm-suppress-shortcuts": "true" }); // JupyterLab's keys would move its cells
    const shadow = this.host.attachShadow({ mode: "open" }); // styles stay within, the page's stay out
    shadow.append(make("style", {}, STYLES), this.frame);
    el.append(this.host);
    this.answer = new Answer((kind) => model.send({ kind }));
    this.frame.append(this.answer.element);
    this.board = new Board(this.frame);
    this.listen();
    this.dress();
    this.hear();
  }

  listen() {
    this.acts = { fixed: () => this.follow(), state: () => this.follow(), answer: () => this.hear() };
    for (const [name, act] of Object.entries(this.acts)) this.model.on(`change:${name}`, act);
    this.unwatch = watchSurroundings(this.host, () => this.dress());
    this.host.addEventListener("keydown", (event) => this.press(event));
  }

  /** Take the page's colours, once the view is a part of it: JupyterLab makes a widget before it shows it. */
  dress() {
    if (!this.host.isConnected) return;
    blend(this.frame, this.host);
    if (!this.board.rows) return this.follow();
    this.board.recolour();
    this.board.draw();
  }

  /** Take over what Python holds; a change that another view made is no new revision, and is taken over too. */
  follow() {
    const [fixed, state] = [this.model.get("fixed"), this.model.get("state")];
    if (!this.host.isConnected || state.id !== fixed.id) return; // not shown yet, or one of the two is on its way
    if (this.board.id === fixed.id && state.view !== this.id) this.board.adopt(state);
    this.board.update(fixed, state, (commit) => this.commit(commit));
    this.answer.offer(state.ways);
  }

  /** A kernel that is busy with a cell answers later: until then, what stands there is about another plan. */
  commit(commit) {
    const [fixed, state] = [this.model.get("fixed"), this.model.get("state")];
    const moved = fixed.groups.some(({ name }, row) => state.removed[row] !== (commit.removed[name] ?? 0));
    if (moved) this.answer.wait();
    this.model.send({ kind: "commit", view: this.id, commit });
  }

  hear() {
    this.answer.show(this.model.get("answer"));
  }

  /** Undo and redo as everywhere, also while a row has the focus; no key reaches the notebook's own shortcuts. */
  press(event) {
    event.stopPropagation();
    const typing = event.composedPath()[0].matches?.("input:not([type=checkbox])");
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || typing) return;
    event.preventDefault();
    this.model.send({ kind: event.shiftKey ? "redo" : "undo" });
  }

  close() {
    for (const [name, act] of Object.entries(this.acts)) this.model.off(`change:${name}`, act);
    this.unwatch();
    this.board.close();
    this.host.remove();
  }
}
