// The board as Streamlit's component.

import { Board } from "./board.js";
import { zoomOf } from "./view.js";

// Boards by key with what `feed.js` has brought for them.
const HOMES = (window.pruningBoards ??= new Map());

/** Keeps the headings of a board below what stays at the window's upper edge; gives what ends that. */
function pin(root) {
  const header = document.querySelector("[data-testid=stHeader]");
  const parts = [header, window.pruningStrip?.strip?.element].filter(Boolean);
  const sized = new ResizeObserver(() => {
    const covered = Math.max(0, ...parts.map((part) => part.getBoundingClientRect().bottom));
    root.style.setProperty("--pinned", `${covered / zoomOf(root)}px`);
  });
  for (const part of parts) sized.observe(part);
  return () => sized.disconnect();
}

/** What is measured is asked for in the page's drawer. */
function showDrawer() {
  document.querySelector(".st-key-measuring")?.scrollIntoView({ block: "center", behavior: "smooth" });
}

export default function ({ data, parentElement, setTriggerValue }) {
  if (!HOMES.has(data.key)) HOMES.set(data.key, {});
  const home = HOMES.get(data.key);
  if (home.parent !== parentElement) {
    home.board?.close();
    home.unpin?.();
    Object.assign(home, { parent: parentElement, board: new Board(parentElement, (what) => home.ask(what)) });
    home.unpin = pin(home.board.root);
    home.board.onCost = (cost) => window.pruningStrip?.live?.(cost);
  }
  home.ask = (what) => {
    setTriggerValue("ask", what);
    showDrawer();
  };
  home.meet = () => {
    if (home.state?.id === data.id) home.board.update(data, home.state, (commit) => setTriggerValue("commit", commit));
  };
  home.meet();
  return () => {
    if (home.parent !== parentElement) return;
    home.board.close();
    home.unpin();
    HOMES.delete(data.key);
  };
}
