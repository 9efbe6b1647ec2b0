// Parameters and multiply-accumulates as polynomials of kept unit counts: the same sums as Python's, to the unit.

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * A function from kept unit counts (by group, in the order of `names`) to {params, macs}; its second argument are the
 * numbers of those of `blocks` that are taken out besides, none of them inside another.
 *
 * Polynomials have no negative coefficient, so no partial result exceeds the whole model's: where that is
 * below 2^53 plain numbers are exact, beyond it the results are BigInt.
 *
 * @param cost {"params": [[coefficient, [[[c, [group, …]], …], …]], …], "macs": …}
 * @param full every group's unit count
 * @param blocks [{cost}, …], the part of each in the cost of the whole
 */
export function compileCost(cost, names, full, blocks = []) {
  const place = new Map(names.map((name, index) => [name, index]));
  const parts = [cost, ...blocks.map((block) => block.cost)].map((part) => compiled(part, place));
  const [quick, exact] = [Number, BigInt].map((number) => parts.map((part) => evaluator(part, number)));
  const whole = exact[0](full);
  const [first, ...others] = whole.params <= SAFE && whole.macs <= SAFE ? quick : exact;
  return (counts, out = []) => {
    const found = first(counts);
    for (const block of out) {
      const part = others[block](counts);
      found.params -= part.params;
      found.macs -= part.macs;
    }
    return found;
  };
}

/** {widths, programs}: the sums that products are of, each once, and the products. */
function compiled(cost, place) {
  const widths = [];
  const known = new Map();
  const widthOf = (terms) => {
    const key = JSON.stringify(terms);
    if (!known.has(key)) {
      known.set(key, widths.length);
      widths.push(terms.map(([c, groups]) => [c, groups.map((name) => place.get(name))]));
    }
    return known.get(key);
  };
  const programs = {};
  for (const kind of ["params", "macs"]) {
    programs[kind] = cost[kind].map(([c, sides]) => [c, sides.map(widthOf)]);
  }
  return { widths, programs };
}

function evaluator({ widths, programs }, number) {
  const [zero, one] = [number(0), number(1)];
  const terms = widths.map((sum) => sum.map(([c, groups]) => [number(c), groups]));
  const products = Object.entries(programs).map(([kind, all]) => [kind, all.map(([c, sides]) => [number(c), sides])]);
  return (counts) => {
    const kept = Array.from(counts, number);
    const width = terms.map((sum) => {
      let value = zero;
      for (const [c, groups] of sum) {
        let product = c;
        for (const group of groups) product *= kept[group];
        value += product;
      }
      return value;
    });
    const found = {};
    for (const [kind, all] of products) {
      let value = zero;
      for (const [c, sides] of all) {
        let product = c * one;
        for (const side of sides) product *= width[side];
        value += product;
      }
      found[kind] = value;
    }
    return found;
  };
}
