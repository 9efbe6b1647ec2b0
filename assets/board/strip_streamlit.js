// The strip as Streamlit's component: `strip_feed.js` brings what it says, a board what a hand does to the cost.

import { Strip } from "./strip.js";

const HOME = (window.pruningStrip ??= {});

export default function ({ parentElement, setTriggerValue }) {
  if (HOME.parent !== parentElement) {
    HOME.strip?.close();
    const strip = new Strip(parentElement, (stage) => HOME.send(stage));
    Object.assign(HOME, { parent: parentElement, strip, live: (cost) => strip.live(cost) });
  }
  HOME.send = (stage) => setTriggerValue("action", stage);
  HOME.meet = () => HOME.said && HOME.strip.show(HOME.said);
  HOME.meet();
  return () => {
    if (HOME.parent !== parentElement) return;
    HOME.strip.close();
    for (const name of Object.keys(HOME)) delete HOME[name];
  };
}
