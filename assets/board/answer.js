// The line above a notebook's board: what the network reaches as it is set, and the ways back.

import { make } from "./parts.js";
import { percent } from "./words.js";

const WAYS = [["undo", "Undo"], ["redo", "Redo"], ["reset", "Reset"]];

export class Answer {
  /** @param send called with the name of a way back */
  constructor(send) {
    const parts = ["label", "value", "interval", "change", "note"].map((name) => [name, make(`span.${name}`)]);
    this.parts = Object.fromEntries(parts);
    this.ways = WAYS.map(([name, text]) => {
      const button = make("button", { type: "button" }, text);
      button.onclick = () => send(name);
      return [name, button];
    });
    this.bar = make("i");
    this.element = make(
      "div.answer",
      {},
      make("div.said", { role: "status" }, ...Object.values(this.parts)),
      make("div.ways", {}, ...this.ways.map(([, button]) => button)),
      make("div.progress", {}, this.bar),
    );
  }

  /** @param answer {label, value, interval, change, note, fraction, failed}: texts, and how far it is; null where it is done */
  show(answer) {
    for (const [name, part] of Object.entries(this.parts)) part.textContent = answer[name];
    this.element.classList.toggle("failed", answer.failed);
    this.element.classList.toggle("busy", answer.fraction !== null);
    this.bar.style.width = percent(answer.fraction ?? 0, 1);
  }

  /** What is shown is no longer about the plan, until the next answer. */
  wait() {
    this.element.classList.toggle("busy", this.parts.value.textContent !== "");
  }

  /** @param ways {undo, redo, reset}: which of them lead anywhere */
  offer(ways) {
    for (const [name, button] of this.ways) button.disabled = !ways[name];
  }
}
