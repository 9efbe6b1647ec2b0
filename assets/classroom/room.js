// What a class looks at from the back of the room: how it is joined, and where everybody is.

export default function ({ parentElement }) {
  const root = parentElement.querySelector(".room") ?? parentElement.appendChild(made("section", "room"));
  const home = (window.pruningClass ??= {});
  home.draw = (data) => draw(root, data);
  if (home.data) home.draw(home.data);
  return () => delete home.draw;
}

function draw(root, data) {
  root.setAttribute("aria-label", data.label);
  const text = JSON.stringify(data);
  if (root.shown === text) return;
  root.shown = text;
  root.replaceChildren(...(data.view === "join" ? joining(data) : [places(data)]));
}

function joining(data) {
  const how = made("div", "how");
  const words = how.appendChild(made("div", "words"));
  words.append(made("p", "step", "Open"), made("p", "address", data.address));
  words.append(made("p", "step", "and type the code"), spelled(data.code));
  if (data.qr) how.append(square(data.qr, data.address));
  const count = data.names.length;
  const here = made("p", "step", count ? `${count} here` : "Nobody is here yet");
  const names = made("ul", "names");
  names.append(...data.names.map((name) => made("li", "", name)));
  return [how, here, names];
}

function spelled(code) {
  const line = made("p", "code");
  line.setAttribute("aria-label", [...code].join(" "));
  line.append(...[...code].map((letter) => made("span", "", letter)));
  return line;
}

/** A QR code of rows of 0 and 1, black on white in every theme, with the quiet zone of four modules that readers need. */
function square(rows, address) {
  const side = rows.length + 8;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${side} ${side}`);
  svg.setAttribute("class", "qr");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `QR code of ${address} with the code`);
  const path = svg.appendChild(document.createElementNS(svg.namespaceURI, "path"));
  const dark = rows.flatMap((row, y) => [...row].map((bit, x) => (bit === "1" ? `M${x + 4} ${y + 4}h1v1h-1z` : "")));
  path.setAttribute("d", dark.join(""));
  return svg;
}

function places(data) {
  const list = made("ol", "places");
  list.append(...data.students.map(place));
  return list;
}

function place(student) {
  const item = made("li", student.away ? "away" : "");
  item.title = `last change ${new Date(1000 * student.changed).toLocaleTimeString()}`;
  item.append(made("span", "name", student.name), made("span", "where", student.where));
  if (student.cards) {
    const bar = item.appendChild(made("span", "cards"));
    bar.setAttribute("aria-hidden", "true");
    for (let card = 0; card < student.cards; card += 1) {
      const states = [student.done.includes(card) && "done", card === student.card && "now"];
      bar.append(made("span", states.filter(Boolean).join(" ")));
    }
  }
  return item;
}

function made(tag, name, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}
