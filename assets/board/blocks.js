// Residual blocks as rows: where they stand among the groups, and what leaves with them.

/** What a row of a whole block is besides what Python says of it: one unit, that stays or leaves, and no scores. */
const ROW = {
  ...{ block: true, kind: "block", units: 1, unit: 0, size: 0, minimum: 0, most: 1, snap: 1, skipped: null, exact: true },
  ...{ scores: null, order: null, flow: null, curve: null, times: null, cliffs: [], members: [] },
};

/** @param block {name, stage, before, macs, cost, inside}, see `board_document` */
function asRow(block) {
  const ties = block.inside.length ? `, and ${listed(block.inside)} leave with it` : "";
  const why = `A residual block: taken out, it passes its input on unchanged${ties}.`;
  return { ...ROW, ...block, noun: ["block", "blocks"], why };
}

function listed(names) {
  return names.length < 3 ? names.join(" and ") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

/** Groups in network order, every block in front of the group that it stands before. */
export function woven(groups, blocks) {
  const rows = blocks.map(asRow);
  const before = (at) => rows.filter((row) => row.before === at);
  return [...groups.flatMap((group, at) => [...before(at), group]), ...before(groups.length)];
}

/** For every row the rows of blocks that it lies in: a group leaves with them, a block is one with them. */
export function enclosing(rows) {
  const blocks = rows.flatMap((row, at) => (row.block ? [[row, at]] : []));
  return rows.map((row) =>
    blocks
      .filter(([block]) => (row.block ? row.name.startsWith(`${block.name}.`) : block.inside.includes(row.name)))
      .map(([, at]) => at),
  );
}

/** Lanes of groups, as `layLanes` numbers them, numbered by rows, `rowOf` each group; a block stands on its input's. */
export function amongRows(lanes, rowOf, rows) {
  const count = rows.length;
  const at = (group) => rowOf[group] ?? count;
  const runs = new Map(
    lanes.runs.map((run) => {
      const members = run.members.map((member) => ({ group: at(member.group), from: after(member, at) }));
      return [run, { ...run, from: at(run.from), to: at(run.to), members }];
    }),
  );
  const forks = lanes.forks.map((fork) => ({ run: runs.get(fork.run), row: at(fork.row), groups: fork.groups.map(at) }));
  const joins = lanes.joins.map((join) => ({ ...join, group: at(join.group), run: runs.get(join.run), row: at(join.row) }));
  const [place, reach] = [new Array(count).fill(0), rows.map((_, row) => row)];
  rowOf.forEach((row, group) => {
    place[row] = lanes.place[group];
    reach[row] = at(lanes.reach[group]);
  });
  rows.forEach((row, number) => {
    if (row.block) place[number] = inputLane(forks, number);
  });
  return { ...lanes, runs: [...runs.values()], forks, joins, place, reach, entries: lanes.entries.map(at) };
}

/** A member that joins a run does so below its own row, the first from its row on. */
function after(member, at) {
  return member.from > member.group ? at(member.group) + 1 : at(member.from);
}

/** The lane that the first row below a block branches off from; the trunk's where none does. */
function inputLane(forks, block) {
  const below = forks.filter(({ row }) => row > block);
  const first = below.reduce((one, other) => (other.row < one.row ? other : one), below[0]);
  return first ? first.run.lane : 0;
}
