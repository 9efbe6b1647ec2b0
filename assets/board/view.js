// Where everything stands: columns by the width that there is, rows and stage headings by height.

const WIDE = 700;
const STAGE = 30;
const LONE = 6;
const OVERSCAN = 240; // pixels drawn beyond what is visible, so that scrolling stays ahead of painting
const GAP = 14;
const SMALL = { curve: 72, time: 112 }; // widths of the small charts
const NARROW_ROW = 64;

/** Columns, row heights and lane widths for a board of `width` pixels. */
export function layOut(width, rows) {
  const wide = width >= WIDE;
  const measured = Object.keys(SMALL).filter((name) => (name === "curve" ? rows.span : rows.clock));
  const small = wide ? fitting(measured, width - WIDE) : measured;
  const network = networkWidth(rows.lanes.lanes, wide, width);
  const found = (wide ? wideColumns : narrowColumns)(width, network, small);
  return { width, wide, ...network, ...found, ...tops(rows, found.height) };
}

/** As many of the small charts, from the first, as there is room for beside the strips. */
function fitting(names, room) {
  const needed = (count) => names.slice(0, count).reduce((sum, name) => sum + GAP + SMALL[name], 0);
  return names.filter((_, at) => needed(at + 1) <= room);
}

function networkWidth(lanes, wide, width) {
  const room = wide ? Math.min(170, width * 0.13) : 26;
  const spacing = Math.min(wide ? 28 : 9, lanes > 1 ? room / (lanes - 1) : room);
  if (!wide && (spacing < 5 || width < 360)) return { spacing: 0, thickest: 0, dot: 0, networkWidth: 0 };
  const thickest = Math.min(spacing * (wide ? 0.46 : 0.62), wide ? 13 : 6);
  return { spacing, thickest, dot: wide ? 4 : 3, networkWidth: Math.ceil((lanes - 1) * spacing + thickest + 8) };
}

function wideColumns(width, { networkWidth }, small) {
  const network = { x: 30, width: networkWidth };
  const name = { x: network.x + networkWidth + GAP, width: Math.round(Math.min(260, Math.max(150, width * 0.17))) };
  const stays = { x: name.x + name.width + 6, width: 132 };
  const share = { x: stays.x + stays.width + 8, width: 44, y: 24, height: 3 };
  const lock = { x: width - 32, width: 28 };
  const charts = { curve: null, time: null };
  let end = lock.x + 4;
  for (const chart of small.toReversed()) {
    end -= GAP + SMALL[chart];
    charts[chart] = { x: end, width: SMALL[chart], y: 3, height: 26 };
  }
  const from = share.x + share.width + GAP + 8;
  const strip = { x: from, width: end - GAP - from, y: 7, height: 18 };
  return { columns: { pick: { x: 4, width: 22 }, network, name, stays, share, strip, ...charts, lock }, height: 32 };
}

/** The small charts stand below the strip, side by side, each under its name. */
function narrowColumns(width, { networkWidth }, small) {
  const network = networkWidth ? { x: 0, width: networkWidth } : null;
  const pick = { x: networkWidth ? networkWidth + 4 : 0, width: 22 };
  const lock = { x: width - 32, width: 32 };
  const stays = { x: lock.x - 132, width: 128 };
  const name = { x: pick.x + pick.width + 6, width: stays.x - pick.x - pick.width - 12 };
  const strip = { x: pick.x + 4, width: width - pick.x - 16, y: 34, height: 20 };
  const charts = { curve: null, time: null };
  const each = (strip.width - GAP * (small.length - 1)) / small.length;
  small.forEach((chart, at) => {
    charts[chart] = { x: strip.x + at * (each + GAP), width: each, y: NARROW_ROW + 14, height: 28 };
  });
  const height = NARROW_ROW + (small.length ? 50 : 0);
  return { columns: { pick, network, name, stays, share: null, strip, ...charts, lock }, height };
}

function tops(rows, height) {
  const [top, stages] = [[], []];
  let at = LONE;
  rows.groups.forEach((group, row) => {
    const [before, after] = [rows.groups[row - 1]?.stage, rows.groups[row + 1]?.stage];
    if (group.stage !== before && group.stage === after) {
      stages.push({ name: group.stage, top: at, first: row, last: row });
      at += STAGE;
    } else if (group.stage === before) stages[stages.length - 1].last = row;
    else if (row) at += LONE; // a stage of one row needs no heading
    top.push(at);
    at += height;
  });
  return { top, stages, total: at + 14 };
}

/** How much larger an element is shown than it is laid out: what boxes and pointers say is in pixels of the window. */
export function zoomOf(element) {
  return element.currentCSSZoom ?? 1;
}

/** Where a pointer is within an element, [across, down], in the pixels in which that is laid out. */
export function within(element, { clientX, clientY }) {
  const [box, zoom] = [element.getBoundingClientRect(), zoomOf(element)];
  return [(clientX - box.left) / zoom, (clientY - box.top) / zoom];
}

/** The row at a height of the sheet; null on a stage heading and below the last row. */
export function rowAt(view, y) {
  const row = lastBefore(view.top, y);
  return row >= 0 && y < view.top[row] + view.height ? row : null;
}

/** The place in a row's strip under a point of the sheet; null beside the strip. */
export function unitAt(view, row, units, x, y) {
  const { strip } = view.columns;
  const [across, down] = [(x - strip.x) / strip.width, y - view.top[row] - strip.y];
  return across >= 0 && across < 1 && down >= 0 && down <= strip.height ? Math.floor(across * units) : null;
}

/** The small chart under a point of the sheet and the fraction there, [name, fraction]; null beside them. */
export function chartAt(view, row, x, y) {
  for (const name of Object.keys(SMALL)) {
    const chart = view.columns[name];
    const down = y - view.top[row] - (chart?.y ?? 0);
    if (!chart || x < chart.x || x > chart.x + chart.width || down < 0 || down > chart.height) continue;
    return [name, Math.min(Math.max((x - chart.x - 3) / (chart.width - 6), 0), 1)];
  }
  return null;
}

/** What a scroll container shows, and the part of the sheet that the canvas then covers. */
export function look(view, scrolled, shown) {
  const from = Math.max(0, scrolled - OVERSCAN);
  const to = Math.min(view.total, scrolled + shown + OVERSCAN);
  return { ...view, from, to, visible: [Math.max(0, lastBefore(view.top, from)), lastBefore(view.top, to)] };
}

function lastBefore(tops, y) {
  let [low, high] = [-1, tops.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (tops[middle] <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}
