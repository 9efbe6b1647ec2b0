// Brings the picture of a class what has changed. It shows nothing itself: what a fragment redraws fades meanwhile.

export default function ({ data }) {
  const home = (window.pruningClass ??= {});
  home.data = data;
  home.draw?.(data);
}
