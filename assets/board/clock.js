// Predicted latency from what was timed of every group: the same sums as explorer/budget/latency_table.py's.

/** The value at `at`, on the straight line between points [place, value, …], ascending; level beyond them. */
export function between(points, at) {
  const after = points.findIndex(([place]) => place >= at);
  if (after < 0) return points[points.length - 1][1];
  if (after === 0) return points[0][1];
  const [[a, from], [b, to]] = [points[after - 1], points[after]];
  return from + ((at - a) / (b - a || 1)) * (to - from);
}

export class Clock {
  /**
   * @param latency {base, scale, overlap, alignment}, ms and channels
   * @param groups their `unit` in channels, `units`, and `times`, ascending: [[units kept, ms more than the whole, …], …]
   * @param price units kept by group to {macs}
   */
  constructor(latency, groups, price) {
    Object.assign(this, { ...latency, groups, price });
    this.full = groups.map((group) => group.units);
    this.whole = Number(price(this.full).macs);
    this.saved = groups.map(() => new Map());
  }

  /** Milliseconds with so many units kept in every row, `macs` in all; of a block that is out, what lies inside leaves. */
  predict(kept, macs) {
    let [change, alone] = [0, 0];
    const timed = kept.map((count, row) => (this.groups[row].block ? this.full[row] : count));
    const left = timed.some((count, row) => count !== kept[row]) ? this.price(timed).macs : macs;
    timed.forEach((count, row) => {
      change += this.delta(row, count);
      if (count < this.full[row]) alone += this.saving(row, count);
    });
    const twice = (alone - (this.whole - Number(left))) / Math.max(this.whole, 1);
    return Math.max(0, this.base + this.scale * change + this.overlap * twice);
  }

  /** What a group changes alone: multiples of the alignment and other widths are lines of their own. */
  delta(row, kept) {
    const { times, unit } = this.groups[row];
    if (!times) return 0;
    const aligned = (count) => (count * unit) % this.alignment === 0;
    const same = times.filter(([count]) => aligned(count) === aligned(kept));
    const within = same.length && same[0][0] <= kept && kept <= same[same.length - 1][0];
    return between(within ? same : times, kept);
  }

  /** MACs that a group saves alone. */
  saving(row, kept) {
    const known = this.saved[row];
    if (!known.has(kept)) known.set(kept, this.whole - Number(this.price(this.full.with(row, kept)).macs));
    return known.get(kept);
  }

  /** The share of the network's MACs that is left when the group alone keeps so many units. */
  macs(row, kept) {
    return 1 - this.saving(row, kept) / this.whole;
  }
}
