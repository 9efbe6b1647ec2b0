// The board as Streamlit's component.

import { Board } from "./board.js";

// Boards by key with what `feed.js` has brought for them.
const HOMES = (window.pruningBoards ??= new Map());

/** How much of the window's upper edge is covered by what stays there while the page scrolls. */
function pinned() {
  const parts = [document.querySelector("[data-testid=stHeader]"), window.pruningStrip?.strip?.element];
  return Math.max(0, ...parts.filter(Boolean).map((part) => part.getBoundingClientRect().bottom));
}

export default function ({ data, parentElement, setTriggerValue }) {
  if (!HOMES.has(data.key)) HOMES.set(data.key, {});
  const home = HOMES.get(data.key);
  if (home.parent !== parentElement) {
    home.board?.close();
    Object.assign(home, { parent: parentElement, board: new Board(parentElement, (what) => home.ask(what)) });
    home.board.onCost = (cost) => window.pruningStrip?.live?.(cost);
  }
  home.ask = (what) => setTriggerValue("ask", what);
  home.board.root.style.setProperty("--pinned", `${pinned()}px`);
  home.meet = () => {
    if (home.state?.id === data.id) home.board.update(data, home.state, (commit) => setTriggerValue("commit", commit));
  };
  home.meet();
  return () => {
    if (home.parent !== parentElement) return;
    home.board.close();
    HOMES.delete(data.key);
  };
}
