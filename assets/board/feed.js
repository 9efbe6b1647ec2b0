// Brings a board what changes while a person drags. An element of its own, since Streamlit sends an element as a whole.

export default function ({ data }) {
  const homes = (window.pruningBoards ??= new Map());
  if (!homes.has(data.key)) homes.set(data.key, {});
  const home = homes.get(data.key);
  home.state = data;
  home.meet?.();
  return () => {
    if (home.state === data) delete home.state;
  };
}
