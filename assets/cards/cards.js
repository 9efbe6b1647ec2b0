// A choice of one among few, as cards: the browser's own radio buttons, so that keys and screen readers know them.

export default function ({ data, parentElement, setStateValue }) {
  const frame = parentElement.querySelector(".cards") ?? parentElement.appendChild(made("fieldset", "cards"));
  frame.style.setProperty("--least", `${data.least}px`);
  const name = `cards ${data.key}`;
  const focused = frame.querySelector(":focus")?.value;
  frame.replaceChildren(made("legend", "", data.label), ...data.cards.map((card) => drawn(card)));
  frame.querySelector(`input[value="${CSS.escape(focused ?? "")}"]`)?.focus();

  function drawn(card) {
    const label = made("label", "card");
    const radio = label.appendChild(made("input", ""));
    Object.assign(radio, { type: "radio", name, value: card.value, checked: card.value === data.chosen });
    radio.addEventListener("change", () => setStateValue("chosen", card.value));
    label.append(made("span", "title", card.title));
    const said = label.appendChild(made("span", "said"));
    said.id = `said ${data.key} ${card.value}`.replaceAll(" ", "-");
    radio.setAttribute("aria-label", card.title);
    radio.setAttribute("aria-describedby", said.id);
    said.append(made("span", "", card.text), ...card.notes.map((note) => made("span", "note", note)));
    return label;
  }
}

function made(tag, name, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}
