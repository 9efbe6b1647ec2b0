// What the colours of the cells mean and which they are, and what picked rows do together.

import { SCALES } from "./colours.js";
import { make } from "./parts.js";

/** The choice of what the cells are coloured by, and its scale from end to end. */
export class Colouring {
  /** @param board has `colour(name)`, `ask(name)` and `scale(shared)` */
  constructor(board) {
    this.modes = Object.entries(SCALES).map(([name, { label }]) => {
      const button = make("button", { type: "button" }, label);
      button.onclick = () => (button.dataset.known ? board.colour(name) : board.ask(name));
      return [name, button];
    });
    [this.low, this.bar, this.high] = [make("span"), make("i"), make("span")];
    this.each = make("button.quiet", { type: "button" }, "per row");
    this.each.title = "Each row on a scale of its own, from its lowest score to its highest";
    this.each.onclick = () => board.scale(this.each.getAttribute("aria-pressed") === "true");
    const choice = make("div.segments", { role: "group", "aria-label": "Colour the cells by" }, ...this.modes.map(([, button]) => button));
    this.legend = make("span.legend", {}, this.low, this.bar, this.high);
    this.element = make("div.colouring", {}, choice, this.legend, this.each);
  }

  /**
   * @param asks whether what is not measured can be asked for
   * @param mode the name of the scale that is shown, and `shared` whether scores of all rows are on one
   */
  show(rows, { mode, shared, colours }, asks) {
    for (const [name, button] of this.modes) {
      const known = SCALES[name].known(rows);
      button.dataset.known = known ? "yes" : "";
      button.hidden = !known && !asks;
      button.title = known ? SCALES[name].help : `${SCALES[name].help} Not measured yet: a click opens the measuring.`;
      button.setAttribute("aria-pressed", String(name === mode));
    }
    const { ends } = SCALES[mode];
    [this.low.textContent, this.high.textContent] = mode === "score" && !shared ? ["lowest", "highest"] : ends(rows);
    this.bar.style.background = `linear-gradient(to right, ${colours.stops[mode].join(", ")})`;
    this.each.hidden = mode !== "score";
    this.each.setAttribute("aria-pressed", String(!shared));
  }
}

/** Floats over the foot of the board while rows are ticked. */
export class Together {
  /** @param board has `same(fraction)` and `unpick()` */
  constructor(board) {
    this.many = make("span.many");
    this.field = make("input", { type: "number", min: "0", max: "100", step: "5", value: "30" });
    const [apply, clear] = ["Apply", "Clear"].map((text) => make("button.quiet", { type: "button" }, text));
    const share = make("label", {}, "Same share leaves ", this.field, " %");
    this.element = make("div.together", {}, make("div.several", {}, this.many, share, apply, clear));
    const send = () => this.field.value !== "" && this.field.checkValidity() && board.same(this.field.value / 100);
    apply.onclick = send;
    this.field.onkeydown = (event) => event.key === "Enter" && send();
    clear.onclick = () => board.unpick();
  }

  show(rows) {
    const number = rows.picked.size;
    this.element.hidden = number === 0;
    this.many.textContent = `${number} ${number === 1 ? "row" : "rows"} selected, they move together`;
  }
}
