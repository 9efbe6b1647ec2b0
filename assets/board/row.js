// One visible row's controls: tick, name, count, the slider over its strip, lock; of a whole block its name and switch.

import { reading } from "./measured.js";
import { LOCK, icon, make, units } from "./parts.js";
import { middle, percent, share } from "./words.js";

const SMALL = ["curve", "time"];
let made = 0;

export class Row {
  constructor() {
    this.pick = make("input.pick", { type: "checkbox" });
    this.title = make("span.title");
    this.kind = make("span.kind");
    this.name = make("button.name", { type: "button" }, this.title, this.kind);
    this.kept = make("b");
    this.of = make("span.of");
    this.part = make("span.part");
    this.stays = make("button.stays", { type: "button" }, this.kept, this.of, this.part);
    this.share = make("span.share");
    this.thumb = make("span.thumb");
    this.strip = make("div.strip", { role: "slider", "aria-orientation": "horizontal", "aria-valuemin": "0" }, this.thumb);
    this.note = make("span.note");
    this.lock = make("button.lock", { type: "button" });
    made += 1;
    const chart = (name) => make(`span.${name}`, { role: "img", id: `${name}-${made}` });
    this.small = Object.fromEntries(SMALL.map((name) => [name, chart(name)]));
    this.element = make(
      "div.row",
      { role: "group" },
      ...[this.pick, this.name, this.stays, this.share, this.strip, this.note, ...Object.values(this.small), this.lock],
    );
    this.row = null;
    this.told = null;
  }

  /** Stand for a row of the board. */
  become(row, rows, view, measure) {
    const group = rows.groups[row];
    this.row = row;
    this.element.dataset.row = row;
    this.element.style.transform = `translateY(${view.top[row]}px)`;
    this.element.setAttribute("aria-label", group.block ? `${group.name}, whole block` : group.name);
    this.element.classList.toggle("block", group.block === true);
    this.name.title = group.block ? group.name : `${group.name}: ${kindOf(group)}`;
    this.title.textContent = shortened(group, view.columns.name.width - 4, measure);
    this.kind.textContent = group.block ? "" : kindOf(group);
    this.name.setAttribute("aria-label", `Look into ${group.name}`);
    this.pick.setAttribute("aria-label", `Select ${group.name} to move it with others`);
    this.share.textContent = share(group.macs);
    this.share.title = "Share of the whole model's MACs that removing all of it would save";
    this.told = null;
    if (group.block) this.asSwitch(group);
    else this.asSlider(group);
    this.show(rows, view);
  }

  asSlider(group) {
    this.strip.setAttribute("role", "slider");
    this.strip.removeAttribute("aria-checked");
    for (const [name, value] of [["orientation", "horizontal"], ["valuemin", 0], ["valuemax", group.most]]) {
      this.strip.setAttribute(`aria-${name}`, value);
    }
    this.strip.setAttribute("aria-label", `${group.noun[1]} of ${group.name} that leave`);
    this.strip.title = "";
  }

  asSwitch(group) {
    this.strip.setAttribute("role", "switch");
    for (const name of ["orientation", "valuemin", "valuemax", "valuenow", "valuetext"]) {
      this.strip.removeAttribute(`aria-${name}`);
    }
    this.strip.setAttribute("aria-label", `The block ${group.name} stays`);
    this.strip.title = "Take the whole block out, or put it back";
    this.thumb.style.left = "";
  }

  /** Follow the counts, locks and picks. */
  show(rows, view) {
    const group = rows.groups[this.row];
    if (group.block) return this.showBlock(rows, group);
    const [gone, kept] = [rows.gone(this.row), rows.kept(this.row)];
    const locked = rows.locked.has(this.row);
    this.remark(rows, group);
    const part = percent(kept / group.units);
    this.kept.textContent = kept;
    this.of.textContent = ` of ${group.units}${group.noun[0] === "channel" ? "" : ` ${short(group)}`}`;
    this.part.textContent = part;
    this.stays.setAttribute("aria-label", `${kept} of ${units(group, group.units)} stay, type another number`);
    this.stays.disabled = !rows.free(this.row);
    this.thumb.style.left = `${(gone / group.units) * view.columns.strip.width}px`;
    this.strip.setAttribute("aria-valuenow", gone);
    this.strip.setAttribute("aria-valuetext", `${gone} of ${units(group, group.units)} leave, ${part} stay`);
    this.strip.setAttribute("aria-disabled", String(!rows.free(this.row)));
    this.pick.checked = rows.picked.has(this.row);
    this.element.classList.toggle("cut", gone > 0);
    this.element.classList.toggle("locked", locked);
    if (this.lock.getAttribute("aria-pressed") !== String(locked)) {
      this.lock.setAttribute("aria-pressed", String(locked));
      this.lock.innerHTML = icon(locked ? LOCK.shut : LOCK.open);
    }
    this.lock.setAttribute("aria-label", `Lock ${group.name}`);
    this.lock.title = locked ? "Locked: it keeps its units. Click to unlock (L)" : "Lock it as it is (L)";
    this.lock.disabled = group.most === 0;
    if (this.told !== gone) this.tell(rows);
    this.told = gone;
  }

  /** A block stays or leaves; where it lies in one that leaves, it goes along. */
  showBlock(rows, group) {
    const outer = rows.goneWith(this.row);
    const stays = rows.removed[this.row] === 0 && outer === undefined;
    this.strip.setAttribute("aria-checked", String(stays));
    this.strip.setAttribute("aria-disabled", String(outer !== undefined));
    this.element.classList.toggle("cut", !stays);
    const along = group.inside.length ? `, with ${group.inside.map((name) => inner(name, group)).join(", ")}` : "";
    if (outer !== undefined) this.note.textContent = `Leaves with ${rows.groups[outer].name}`;
    else this.note.textContent = stays ? `Whole block${along}` : `The block is out${along}`;
    this.note.title = group.why;
    for (const part of Object.values(this.small)) part.hidden = true;
  }

  /** Why a row does not move, if it does not. */
  remark(rows, group) {
    const block = rows.goneWith(this.row);
    const fixed = group.skipped !== null || block !== undefined;
    this.element.classList.toggle("whole", fixed);
    this.element.classList.toggle("along", block !== undefined);
    if (!fixed) this.note.textContent = "";
    else this.note.textContent = block === undefined ? `Stays whole: ${group.skipped}` : `Leaves with ${rows.groups[block].name}`;
    this.note.title = this.note.textContent;
  }

  /** The small charts in words, which also describe the slider. */
  tell(rows) {
    const said = reading(rows, this.row);
    for (const name of SMALL) {
      this.small[name].hidden = !said[name];
      this.small[name].setAttribute("aria-label", said[name] ?? "");
    }
    const present = SMALL.filter((name) => said[name]).map((name) => this.small[name].id);
    if (present.length) this.strip.setAttribute("aria-describedby", present.join(" "));
    else this.strip.removeAttribute("aria-describedby");
  }

  /** One row at a time takes part in the tab order. */
  reachable(yes) {
    for (const part of [this.pick, this.name, this.stays, this.strip, this.lock]) part.tabIndex = yes ? 0 : -1;
  }

  /** A field in place of the count; `done` gets the text, or null when it is given up. */
  edit(text, done) {
    const field = make("input.count", { type: "text", inputmode: "numeric", "aria-label": "How many stay" });
    field.value = text;
    const finish = (value, back) => {
      field.onblur = null;
      field.remove();
      this.element.classList.remove("editing");
      if (back) this.strip.focus({ preventScroll: true });
      done(value);
    };
    field.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Enter") finish(field.value, true);
      if (event.key === "Escape") finish(null, true);
    };
    field.onblur = () => finish(field.value, false);
    this.element.classList.add("editing");
    this.element.append(field);
    field.focus({ preventScroll: true });
    field.select();
  }
}

function kindOf(group) {
  return `${group.kind}, ${group.unit > 1 ? `${group.units} × ${group.unit}` : group.size} channels`;
}

/** "heads" of "heads of 16 channels". */
function short(group) {
  return group.noun[1].replace(/ of .*/, "");
}

/** A group's name from its block's on. */
function inner(name, block) {
  return name.startsWith(`${block.name}.`) ? name.slice(block.name.length + 1) : name;
}

/** A name that fits: whole, else without the stage, which its heading says, else shortened in the middle. */
function shortened({ name, stage }, width, measure) {
  if (measure(name) <= width || !name.startsWith(`${stage}.`)) return middle(name, width, measure);
  return middle(`…${name.slice(stage.length + 1)}`, width, measure);
}
