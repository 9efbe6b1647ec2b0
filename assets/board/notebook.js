// The board as a widget of a notebook: shows what Python holds, and tells Python what a person does.

import { Answer } from "./answer.js";
import { Board } from "./board.js";
import { make } from "./parts.js";
import { blend, watchSurroundings } from "./surroundings.js";

/* global STYLES -- put in front of this module by explorer/board/scripts.py */

export default {
  render({ model, el }) {
    const [view, frame] = [new View(model), make("div.frame")];
    const host = make("div", { "data-lm-suppress-shortcuts": "true" }); // JupyterLab's keys would move its cells
    const shadow = host.attachShadow({ mode: "open" }); // styles stay within, the page's stay out
    shadow.append(make("style", {}, STYLES), frame);
    el.append(host);
    view.open(frame);
    const dress = () => {
      blend(frame, host);
      view.recolour();
    };
    const parts = { fixed: () => view.follow(), state: () => view.follow(), answer: () => view.hear() };
    for (const [name, act] of Object.entries(parts)) model.on(`change:${name}`, act);
    dress();
    const unwatch = watchSurroundings(host, dress);
    host.addEventListener("keydown", (event) => view.press(event));
    view.follow();
    view.hear();
    return () => {
      for (const [name, act] of Object.entries(parts)) model.off(`change:${name}`, act);
      unwatch();
      view.close();
      host.remove();
    };
  },
};

/** One of perhaps several places at which the same widget is shown. */
class View {
  constructor(model) {
    this.model = model;
    this.id = `${Math.random()}`;
  }

  open(frame) {
    this.answer = new Answer((kind) => this.model.send({ kind }));
    frame.append(this.answer.element);
    this.board = new Board(frame);
  }

  /** Take over what Python holds; a change that another view made is no new revision, and is taken over too. */
  follow() {
    const [fixed, state] = [this.model.get("fixed"), this.model.get("state")];
    if (state.id !== fixed.id) return; // one of the two is still on its way
    if (this.board.id === fixed.id && state.view !== this.id) this.board.adopt(state);
    this.board.update(fixed, state, (commit) => this.model.send({ kind: "commit", view: this.id, commit }));
    this.answer.offer(state.ways);
  }

  hear() {
    this.answer.show(this.model.get("answer"));
  }

  recolour() {
    if (!this.board.rows) return;
    this.board.recolour();
    this.board.draw();
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
    this.board.close();
  }
}
