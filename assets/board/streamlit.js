// The board as Streamlit's component.

import { Board } from "./board.js";

// Boards by key with what `feed.js` has brought for them.
const HOMES = (window.pruningBoards ??= new Map());

export default function ({ data, parentElement, setTriggerValue }) {
  if (!HOMES.has(data.key)) HOMES.set(data.key, {});
  const home = HOMES.get(data.key);
  if (home.parent !== parentElement) {
    home.board?.close();
    Object.assign(home, { parent: parentElement, board: new Board(parentElement) });
    home.board.onCost = (cost) => window.pruningStrip?.live?.(cost);
  }
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
