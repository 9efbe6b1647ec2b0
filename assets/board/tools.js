// The line of tools: what picked rows do together, and what the colours mean.

import { make } from "./parts.js";
import { score } from "./words.js";

export class Tools {
  constructor(board) {
    this.many = make("span.many");
    this.field = make("input", { type: "number", min: "0", max: "100", step: "5", value: "30" });
    const [apply, clear] = ["Apply", "Clear"].map((text) => make("button.quiet", { type: "button" }, text));
    const share = make("label", {}, "Same share leaves ", this.field, " %");
    this.several = make("div.several", {}, this.many, share, apply, clear);
    const scales = [["All groups", true], ["Each group", false]];
    this.scales = scales.map(([text, shared]) => {
      const button = make("button", { type: "button" }, text);
      button.onclick = () => board.scale(shared);
      return button;
    });
    [this.low, this.high] = [make("span"), make("span")];
    const scale = make("div.scale", { role: "group", "aria-label": "Colour scale over" }, ...this.scales);
    const legend = make("span.legend", {}, this.low, make("i"), this.high);
    const label = make("span.label", {}, "Colour by score within");
    this.element = make("div.tools", {}, this.several, label, scale, legend);
    const send = () => this.field.value !== "" && this.field.checkValidity() && board.same(this.field.value / 100);
    apply.onclick = send;
    this.field.onkeydown = (event) => event.key === "Enter" && send();
    clear.onclick = () => board.unpick();
  }

  show(rows, shared) {
    const number = rows.picked.size;
    this.several.classList.toggle("idle", number === 0);
    this.many.textContent = number
      ? `${number} ${number === 1 ? "row" : "rows"} selected, they move together`
      : "Tick rows to move them together";
    this.scales.forEach((button, at) => button.setAttribute("aria-pressed", String(shared === (at === 0))));
    const [low, high] = shared ? rows.range.map(score) : ["lowest", "highest"];
    [this.low.textContent, this.high.textContent] = [low, high];
  }
}
