"use strict";
// The gallery: cards made from the JSON beside it, sorted, filtered, switched and enlarged.
(() => {
  const holder = document.getElementById("cards");
  if (!holder) return;
  const cards = JSON.parse(holder.textContent);
  const gallery = document.getElementById("gallery");
  const order = document.getElementById("order");
  const group = document.getElementById("group");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  const boxes = [...document.querySelectorAll("[data-layer]")];
  const layers = boxes.map((box) => box.dataset.layer);
  const colours = Object.fromEntries(boxes.map((box) => [box.dataset.layer, box.dataset.colour]));
  const PAGE = 60; // cards made at a time
  const SIZE = 1000; // of a picture's sides, in the units of outlines
  const SVG = "http://www.w3.org/2000/svg";
  let chosen = [];
  let shown = 0;

  function make(name, attributes = {}, text = "") {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text) node.textContent = text;
    return node;
  }

  function draw(name, attributes) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  }

  // What a card holds of a layer: text is a picture in base64, else outlines by region.
  function layer(key, value) {
    if (typeof value === "string") {
      const kind = value.startsWith("iVBOR") ? "png" : "jpeg";
      const href = `data:image/${kind};base64,${value}`;
      return draw("image", { class: `layer-${key}`, href, width: SIZE, height: SIZE, preserveAspectRatio: "none" });
    }
    const part = draw("g", { class: `layer-${key}` });
    if (colours[key]) part.style.setProperty("--line", colours[key]);
    for (const [region, d] of Object.entries(value)) {
      if (d) part.append(draw("path", { class: region, d }));
    }
    return part;
  }

  function picture(card) {
    const view = draw("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": card.says });
    const parts = ["photo", ...layers].filter((key) => card[key]).map((key) => layer(key, card[key]));
    // Outlines lie over all pictures.
    view.append(...parts.filter((part) => part.localName === "image"));
    view.append(...parts.filter((part) => part.localName !== "image"));
    return view;
  }

  function slider(card, view) {
    const last = card.steps.length - 1;
    const said = (n) => card.steps[n].name;
    const label = make("label");
    const text = make("span", {}, said(last));
    const range = make("input", { type: "range", min: 0, max: last, value: last, "aria-label": `${card.slide} of ${card.id}`, "aria-valuetext": said(last) });
    range.addEventListener("input", () => {
      const step = card.steps[Number(range.value)];
      for (const key of ["photo", ...layers]) {
        const old = view.querySelector(`.layer-${key}`);
        if (old) old.replaceWith(layer(key, step[key] || card[key]));
      }
      text.textContent = step.name;
      range.setAttribute("aria-valuetext", step.name);
    });
    label.append(text, range);
    return label;
  }

  function build(card, enlarged) {
    const node = make("article", { class: "card", "data-id": card.id });
    const view = picture(card);
    if (enlarged) {
      node.append(view);
    } else {
      const button = make("button", { type: "button", class: "view", "aria-label": `Enlarge ${card.id}` });
      button.append(view);
      button.addEventListener("click", () => enlarge(card));
      node.append(button);
    }
    node.append(make("h3", {}, card.id));
    for (const line of card.lines) node.append(make("p", line.wrong ? { class: "wrong" } : {}, line.text));
    if (card.steps && card.steps.length > 1) node.append(slider(card, view));
    return node;
  }

  function enlarge(card) {
    const dialog = make("dialog", { "aria-label": card.id });
    const close = make("button", { type: "button", class: "close" }, "Close");
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    dialog.append(close, build(card, true));
    document.body.append(dialog);
    dialog.showModal();
  }

  function extend() {
    const next = chosen.slice(shown, shown + PAGE);
    gallery.append(...next.map((card) => build(card, false)));
    shown += next.length;
    more.hidden = shown >= chosen.length;
    count.textContent = `${shown} of ${chosen.length} ${gallery.dataset.noun}`;
  }

  function compare(key) {
    if (key === "id") return (a, b) => a.id.localeCompare(b.id, undefined, { numeric: true });
    const value = (card) => (card.order[key] ?? -Infinity);
    return (a, b) => value(b) - value(a) || a.id.localeCompare(b.id, undefined, { numeric: true });
  }

  function arrange() {
    const wanted = group ? group.value : "";
    chosen = cards.filter((card) => !wanted || card.groups.includes(wanted)).sort(compare(order.value));
    gallery.replaceChildren();
    shown = 0;
    extend();
  }

  order.addEventListener("change", arrange);
  if (group) group.addEventListener("change", arrange);
  more.addEventListener("click", extend);
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
  const hidden = document.head.appendChild(make("style"));
  const apply = () => {
    const off = boxes.filter((box) => !box.checked).map((box) => `.layer-${box.dataset.layer}`);
    hidden.textContent = off.length ? `${off.join(", ")} { display: none; }` : "";
  };
  for (const box of boxes) box.addEventListener("change", apply);
  apply();
  addEventListener("beforeprint", () => { while (shown < chosen.length && shown < 600) extend(); });
  arrange();
})();
