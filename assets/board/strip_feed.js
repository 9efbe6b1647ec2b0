// Brings the strip what it says, as often as that changes; the latest word counts.

export default function ({ data }) {
  const home = (window.pruningStrip ??= {});
  home.said = data;
  home.meet?.();
}
