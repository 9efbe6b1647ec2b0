// All text that a page shows, with its size and its contrast against what lies behind it; see `test_legible.py`.
() => {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = probe.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((value, i) => value * top[3] + below[i] * (1 - top[3]));
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => value / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const up = (element) => element.parentElement ?? element.getRootNode().host ?? null;
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = up(at)) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] >= 0.99) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const strength = (element) => {
    let found = 1;
    for (let at = element; at; at = up(at)) found *= Number(getComputedStyle(at).opacity);
    return found;
  };
  const idle = (element) => {
    for (let at = element; at; at = up(at)) {
      if (at.disabled || at.getAttribute?.("aria-disabled") === "true" || at.getAttribute?.("aria-hidden") === "true") return true;
      // A slider's value is a child of its thumb, whose colour it has, and hangs above it: what is behind can't be told.
      if (["stIconMaterial", "stSliderThumbValue"].includes(at.dataset?.testid)) return true;
    }
    return false;
  };
  const found = [];
  const visit = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) visit(element.shadowRoot);
      if (["STYLE", "SCRIPT", "OPTION", "NOSCRIPT"].includes(element.tagName)) continue;
      const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join(" ").trim();
      if (!text) continue;
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      if (box.width < 2 || box.height < 2 || style.visibility === "hidden" || idle(element)) continue;
      const drawn = element instanceof SVGElement;
      const colour = rgba(drawn ? style.fill : style.color);
      colour[3] *= strength(element) * (drawn ? Number(style.fillOpacity) : 1);
      if (colour[3] < 0.05) continue;
      const behind = ground(element);
      const [one, other] = [light(over(colour, behind)), light(behind)];
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      const inner = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim().length > 1) || drawn;
      found.push({ text: text.slice(0, 60), ratio, size: parseFloat(style.fontSize), inner });
    }
  };
  visit(document);
  return found;
}
