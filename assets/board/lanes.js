// The network as lanes of a version history: who runs beside whom, who branches off and who joins again.

/**
 * Lanes for `count` groups in network order.
 *
 * Every group's lane starts at its row and runs down to the last row that reads it. Free lanes are used again.
 * Groups that from some row on are read by exactly the same layers, as after a concatenation, go on as one run.
 *
 * @param links [source, target, layer] with row numbers; -1 is the network's input or output
 * @returns {lanes, place, reach, runs, forks, joins, entries}:
 *   lanes: how many side by side; place: each group's lane at its own row; reach: the last row that it runs to
 *   runs: {lane, from, to, end, members: [{group, from}]}; `to` = count and end "out" where a run leaves the network,
 *     end "fork" where its last reader stands on another lane, else "node" or (joined last by a branch) "join", or
 *     "turn" where a branch joins that itself joins another at once
 *   forks: {run, row, groups}: what of a run the row reads
 *   joins: {group, run, concat, row, late, early}: below which row, in which half of the way to the next
 *   entries: rows that read the network's input
 */
export function layLanes(count, links) {
  const { readers, back, reach, entries } = gather(count, links);
  const [runs, forks, joins, open] = [[], [], [], []];
  const place = new Array(count).fill(0);
  const runOf = new Array(count);
  for (let row = 0; row < count; row++) {
    const reads = new Map();
    for (const source of readers.at[row]) {
      const run = runOf[source];
      reads.set(run, [...(reads.get(run) ?? []), source]);
    }
    const joined = new Set([...back[row]].map((target) => runOf[target]));
    place[row] = freeLane(open, row, new Set(reads.keys()), joined, reach[row]);
    for (const [run, groups] of reads) forks.push({ run, row, groups });
    const run = { lane: place[row], from: row, to: reach[row], end: "node", members: [{ group: row, from: row }] };
    const twin = open.find((other) => other.to > row && sameReaders(other.members[0].group, row, readers.of));
    runOf[row] = twin ?? run;
    if (twin) {
      run.to = row;
      twin.members.push({ group: row, from: row + 1 });
      twin.to = Math.max(twin.to, reach[row]);
      joins.push({ group: row, run: twin, concat: true });
    }
    open[run.lane] = run;
    runs.push(run);
    for (const target of back[row]) joins.push({ group: row, run: runOf[target], concat: false });
  }
  for (const { run, row } of forks) if (run.to === row) run.end = place[row] === run.lane ? "node" : "fork";
  for (const { group, run } of joins) if (run.to === group) run.end = "join";
  for (const run of runs) if (run.to === count) run.end = "out";
  for (const join of joins) settle(join, runOf[join.group], joins);
  return { lanes: open.length, place, reach, runs, forks, joins, entries };
}

function gather(count, links) {
  const each = (make) => Array.from({ length: count }, make);
  const readers = { of: each(() => new Map()), at: each(() => new Set()) };
  const back = each(() => new Set());
  const reach = each((_, row) => row);
  const entries = new Set();
  for (const [source, target, layer] of links) {
    if (source < 0) entries.add(target);
    else if (target < 0 || target > source) {
      const row = target < 0 ? count : target;
      readers.of[source].set(layer, Math.max(row, readers.of[source].get(layer) ?? 0));
      if (target >= 0) readers.at[target].add(source);
      reach[source] = Math.max(reach[source], row);
    } else if (target < source) {
      back[source].add(target);
      reach[target] = Math.max(reach[target], source);
    }
  }
  return { readers, back, reach, entries: [...entries] };
}

/** A branch that a branch joins, as a gate its channels, goes home after that and not below its own row. */
function settle(join, own, joins) {
  join.row ??= join.group;
  if (join.concat || own === join.run || own.members[0].group !== join.group) return;
  if (own.end !== "join" && own.end !== "turn") return;
  Object.assign(join, { row: own.to, late: true });
  own.end = "turn";
  for (const other of joins) if (other.run === own && other.group === own.to) other.early = true;
}

/** The lane for a row: one that ends here and is read here, else the leftmost free one; trunks go left of branches. */
function freeLane(open, row, read, joined, reach) {
  const free = [...open.keys()].filter((lane) => open[lane].to <= row && !joined.has(open[lane]));
  const straight = free.find((lane) => read.has(open[lane]));
  if (straight !== undefined && (reach - row <= 1 || straight === free[0])) return straight;
  return free[0] ?? open.length;
}

/** Whether exactly the same layers read two groups below a row, and there are some. */
function sameReaders(group, row, readers) {
  const below = (one) => [...readers[one]].filter(([, at]) => at > row).map(([layer]) => layer);
  const [mine, theirs] = [below(row), below(group)];
  return mine.length > 0 && mine.length === theirs.length && mine.every((layer) => theirs.includes(layer));
}
