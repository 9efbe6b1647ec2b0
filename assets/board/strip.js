// The strip of every step: what the network reaches, stage by stage, and what it costs against the goal.

import { Counters, make } from "./parts.js";
import { percent } from "./words.js";

export class Strip {
  /** @param send called with the name of a stage whose button was pressed */
  constructor(parent, send) {
    this.send = send;
    this.counters = new Counters();
    this.about = make("div.about");
    this.word = make("span.word");
    this.stages = make("ol.stages");
    const ladder = make("div.ladder", {}, make("div.title", {}, this.about, this.word), this.stages);
    this.spoken = make("div.spoken", { role: "status" });
    this.element = make(
      "section.strip",
      { "aria-label": "What the network reaches and costs" },
      ladder,
      this.counters.element,
      this.spoken,
    );
    this.room = make("div.room", {}, this.element);
    parent.append(this.room);
    this.sized = new ResizeObserver(() => this.room.style.setProperty("height", `${this.element.offsetHeight}px`));
    this.sized.observe(this.element);
  }

  /**
   * @param said {about, word, why, stages, cost}: texts; stages [{name, label, more, value, note, about, tone,
   *   fraction, action}], cost {whole, now, latency, target} or null where the network is not read yet
   */
  show(said) {
    this.about.textContent = said.about;
    this.word.textContent = said.word;
    this.word.title = said.why;
    this.stages.replaceChildren(...said.stages.map((stage) => this.stage(stage)));
    this.stages.classList.remove("stale");
    this.told = said.cost && JSON.stringify([said.cost.now.macs, said.cost.now.params].map(String));
    this.counters.element.hidden = !said.cost;
    if (said.cost) {
      this.counters.begin(said.cost.whole, said.cost.latency, said.cost.target);
      this.counters.show(said.cost.now);
    }
    const spoken = said.stages.filter(({ value }) => value).map(({ label, value }) => `${label} ${value}`).join(", ");
    if (!said.stages.some(({ fraction }) => fraction !== null)) this.spoken.textContent = spoken;
  }

  stage({ name, label, more, value, note, about, tone, fraction, action }) {
    const title = make("div.label", {}, label, make("span.more", {}, more));
    const part = make("li.stage", { "data-stage": name, title: about }, title);
    if (tone) part.classList.add(tone);
    if (value) part.append(make("div.value", {}, value));
    if (fraction !== null) part.append(make("div.bar", {}, make("i", { style: `width: ${percent(fraction, 0)}` })));
    if (action) {
      const button = make("button", { type: "button" }, action);
      button.onclick = () => this.send(name);
      part.append(button);
    }
    if (note) part.append(make("div.note", {}, note));
    return part;
  }

  /** The cost under a hand that moves; what was measured of another plan is no longer about this one. */
  live(cost) {
    if (this.told === undefined || this.told === null) return;
    this.counters.show(cost);
    const stale = JSON.stringify([cost.macs, cost.params].map(String)) !== this.told;
    this.stages.classList.toggle("stale", stale);
  }

  close() {
    this.sized.disconnect();
    this.room.remove();
  }
}
