// The pieces of the board's page: elements, the head with its counters, the line at its foot, the tip.

import { bytes, change, count, milliseconds, percent, score, share } from "./words.js";

/** An element from a tag with classes ("div.head.wide"), attributes and children. */
export function make(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const LOCK = {
  open: '<path d="M5.5 7.5V5a2.5 2.5 0 0 1 4.9-.7"/><rect x="3.5" y="7.5" width="9" height="6" rx="1.5"/>',
  shut: '<path d="M5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5"/><rect class="body" x="3.5" y="7.5" width="9" height="6" rx="1.5"/>',
};

export function icon(paths) {
  return `<svg viewBox="0 0 16 16" aria-hidden="true">${paths}</svg>`;
}

const PREDICTED = "In closed form: counting the cut network gives the same number, to the unit.";
const COUNTERS = [
  ["macs", "MACs", count, `Multiply-accumulates of one forward pass for one input. ${PREDICTED}`],
  ["params", "Parameters", count, `Numbers that training learns: weights, biases, normalisation scales. ${PREDICTED}`],
  ["bytes", "Weights", bytes, `Bytes of the parameters in float32. ${PREDICTED}`],
  ["latency", "Latency", milliseconds, ""],
];

/** Now, was and target of every quantity that is known; `show` is cheap enough for every pointer event. */
export class Counters {
  constructor() {
    this.parts = COUNTERS.map(([kind, label, text, help]) => {
      const part = { kind, text, now: make("span.now"), change: make("span.change"), was: make("span.was") };
      [part.bar, part.mark, part.goal] = [make("i"), make("s"), make("span.goal")];
      [part.badge, part.about] = [make("span.badge", {}, "predicted"), make("div.about")];
      part.element = make(
        "div.counter",
        { "data-kind": kind, title: help },
        make("div.label", {}, label, part.badge),
        make("div.value", {}, part.now, part.change),
        make("div.bar", {}, part.bar, part.mark),
        make("div.note", {}, part.was, part.goal),
        part.about,
      );
      return part;
    });
    this.all = this.parts;
    this.element = make("div.counters", {}, ...this.parts.map((part) => part.element));
  }

  /** @param latency what times were measured, see `board_document`; null where none were */
  begin(whole, latency, target) {
    this.whole = { ...whole, bytes: whole.params * 4, latency: latency?.base };
    this.parts = this.all.filter(({ kind }) => this.whole[kind] !== undefined);
    for (const part of this.all) part.element.hidden = !this.parts.includes(part);
    this.element.classList.toggle("four", latency !== null);
    if (latency) this.timed(this.all[this.all.length - 1], latency);
    for (const part of this.parts) {
      const asked = target && (target.kind === part.kind || (target.kind === "params" && part.kind === "bytes"));
      part.was.textContent = `was ${part.text(this.whole[part.kind])}`;
      part.aim = asked ? this.whole[part.kind] * target.keep : null;
      part.mark.style.display = asked ? "" : "none";
      if (asked) part.mark.style.left = percent(target.keep, 2);
    }
  }

  /** Says whose time it is, and how far off predictions were. */
  timed(part, { runtime, batch, device, error, checks }) {
    const off = share(error);
    part.badge.textContent = `predicted ±${off}`;
    part.about.textContent = `${runtime}${batch > 1 ? `, batch of ${batch}` : ""}, ${device}`;
    part.element.title =
      `Of one batch of ${batch} in ${runtime} on ${device}, predicted from what was timed of every group alone. ` +
      `${checks} other plans were really cut and timed: half of their predictions were off by ${off} at most.`;
  }

  show(cost) {
    for (const part of this.parts) {
      const [now, whole] = [cost[part.kind], this.whole[part.kind]];
      part.now.textContent = part.text(now);
      part.change.textContent = change(whole, now);
      part.bar.style.width = percent(Math.min(Number(now) / Number(whole), 1), 2);
      if (part.aim === null) part.goal.textContent = "";
      else part.goal.textContent = `target ${part.text(part.aim)}${Number(now) <= part.aim ? ", reached" : ""}`;
    }
  }

  /** What a screen reader says once a change is made. */
  spoken() {
    return this.parts.map((part) => `${part.element.firstChild.firstChild.textContent} ${part.now.textContent}`).join(", ");
  }
}

export function units(group, number) {
  return `${number} ${group.noun[number === 1 ? 0 : 1]}`;
}

const HOW = { makes: "Made by", follows: "carried by", reads: "read by" };
const LISTED = 6;

/** Which layers a group's channels go through, why they leave together, and what was measured of it. */
export class Foot {
  constructor() {
    this.title = make("span.title");
    this.why = make("span.why");
    this.members = make("div.members");
    this.alone = make("div.alone");
    this.element = make("div.foot", {}, make("div", {}, this.title, this.why), this.members, this.alone);
    this.group = undefined;
  }

  /** @param said sentences about what was measured */
  show(group, said) {
    this.alone.textContent = said;
    if (group === this.group) return;
    this.group = group;
    this.title.textContent = group ? group.name : "";
    this.members.replaceChildren();
    if (!group) {
      this.why.textContent =
        "Each row is a group of channels that can only leave together, lowest score first. Drag its line to the right, " +
        "or use the arrow keys: what is left of it leaves. Tick rows to move them together; a switch takes a whole " +
        "residual block out.";
      return;
    }
    this.why.textContent = group.exact ? group.why : `${group.why} Measured by cutting: ${group.reason}.`;
    for (const [how, label] of Object.entries(HOW)) {
      const names = group.members.filter((member) => member.how === how).map((member) => member.name);
      if (!names.length) continue;
      const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
      const listed = make("span.layers", { title: names.join("\n") }, names.slice(0, LISTED).join(", ") + more);
      this.members.append(make("span", {}, `${label} `, listed));
    }
  }
}

/** A card beside the pointer. */
export class Tip {
  constructor(host) {
    this.host = host;
    this.element = make("div.tip", { role: "tooltip" });
    this.hide();
  }

  hide() {
    this.element.style.display = "none";
  }

  /** At a point of the host: a title and [label, value] lines. */
  show(x, y, title, lines) {
    const terms = lines.flatMap(([label, value]) => [make("dt", {}, label), make("dd", {}, value)]);
    this.element.replaceChildren(make("div.title", {}, title), make("dl", {}, ...terms));
    this.element.style.display = "";
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const left = Math.min(Math.max(x + 14, 4), this.host.clientWidth - width - 4);
    const top = y + 20 + height > this.host.clientHeight ? y - height - 16 : y + 20;
    this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}

/** What the tip says of the unit at a place of a row, lowest score first. */
export function unitFacts(rows, row, place) {
  const group = rows.groups[row];
  const gone = rows.gone(row);
  const facts = [
    ["Score", score(group.scores[place])],
    ["Rank", `${place + 1} of ${group.units}, lowest first`],
  ];
  if (group.flow) facts.push(["Flow", score(group.flow[group.order[place]])]);
  if (group.curve) facts.push(["Loss, with all before it", lossWords(rows, row, place + 1)]);
  if (rows.goneWith(row) !== undefined) return [`${unitName(group)} ${group.order[place]}, leaves with its block`, facts];
  const now = rows.cost();
  const one = rows.cost({ [row]: gone ? gone - 1 : 1 });
  facts.push([`One ${group.noun[0]}`, saving(gone ? one : now, gone ? now : one)]);
  if (gone) facts.push([`The ${gone} that leave`, saving(rows.cost({ [row]: 0 }), now)]);
  return [`${unitName(group)} ${group.order[place]}${place < gone ? ", leaves" : ""}`, facts];
}

function lossWords(rows, row, count) {
  const loss = rows.loss(row, count);
  return `${rows.metric.share ? `${(100 * loss).toFixed(1)} points` : loss.toFixed(3)} of ${rows.metric.label}, cut alone`;
}

function unitName(group) {
  const noun = group.noun[0].replace(/ of .*/, "");
  return noun[0].toUpperCase() + noun.slice(1);
}

function saving(before, after) {
  return `${count(before.macs - after.macs)} MACs, ${count(before.params - after.params)} parameters`;
}
