// The strip of every step: what the network reaches, stage by stage, and what it costs against the goal.

import { Counters, make } from "./parts.js";
import { percent } from "./words.js";

const WIDTHS = { medium: 1150, narrow: 900, slim: 480 }; // pixels up to which it is shown so

export class Strip {
  /** @param send called with the name of a stage whose button was pressed */
  constructor(parent, send) {
    Object.assign(this, { send, hand: null, told: null });
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
    this.main = document.querySelector("[data-testid=stMain]");
    this.sized = new ResizeObserver(() => this.fit());
    this.sized.observe(this.element);
    if (this.main) this.sized.observe(this.main);
  }

  /** As wide as the page beside a sidebar, which comes and goes; the page keeps its height free. */
  fit() {
    if (this.main) this.element.style.setProperty("left", `${this.main.getBoundingClientRect().left}px`);
    const width = this.element.offsetWidth;
    for (const [name, most] of Object.entries(WIDTHS)) this.element.classList.toggle(name, width <= most);
    this.room.style.setProperty("height", `${this.element.offsetHeight}px`);
  }

  /**
   * @param said {about, word, why, stages, cost}: texts; stages [{name, label, more, value, note, about, tone,
   *   fraction, action}], cost {whole, now, latency, target} or null where the network is not read yet
   */
  show(said) {
    this.about.textContent = said.about;
    this.word.textContent = said.word;
    this.word.title = said.why;
    said.stages.forEach((stage, at) => this.place(stage, at));
    while (this.stages.children.length > said.stages.length) this.stages.lastChild.remove();
    const told = said.cost && written(said.cost.now);
    if (told !== this.told) this.hand = null; // another plan, or the one that the hand has let go of
    this.told = told;
    this.stages.classList.toggle("stale", this.hand !== null);
    this.counters.element.hidden = !said.cost;
    if (said.cost) {
      this.counters.begin(said.cost.whole, said.cost.latency, said.cost.target);
      this.counters.show(this.hand ?? said.cost.now);
    }
    const values = said.stages.filter(({ value }) => value).map(({ label, value }) => `${label} ${value}`).join(", ");
    const spoken = [said.word, said.why, values].filter(Boolean).join(". ");
    if (!said.stages.some(({ fraction }) => fraction !== null)) this.spoken.textContent = spoken;
  }

  /** A stage anew where it has changed: a button that is looked at again and again keeps its focus and its press. */
  place(stage, at) {
    const [old, key] = [this.stages.children[at], JSON.stringify(stage)];
    if (old?.key === key) return;
    const fresh = Object.assign(this.stage(stage), { key });
    if (old) old.replaceWith(fresh);
    else this.stages.append(fresh);
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
    if (about) part.append(make("span.spoken", {}, about));
    return part;
  }

  /** The cost under a hand that moves; what was measured of another plan is no longer about this one. */
  live(cost) {
    if (!this.told) return;
    this.counters.show(cost);
    this.hand = written(cost) === this.told ? null : cost;
    this.stages.classList.toggle("stale", this.hand !== null);
  }

  close() {
    this.sized.disconnect();
    this.room.remove();
  }
}

/** A cost to compare with another one; large ones are BigInt. */
function written({ macs, params }) {
  return `${macs} ${params}`;
}
