// What the views for pictures share.

import { button, choice, h } from "../parts.js";

/**
 * Shows the first of the models, with a list to choose another one if there are several.
 *
 * @param show (place, model) => a function that cleans up.
 * @returns a function that cleans up.
 */
export function eachModel(root, { models, t }, show) {
  const place = h("div");
  let close = () => {};
  const start = (name) => {
    close();
    place.replaceChildren();
    close = show(
      place,
      models.find((model) => model.name === name),
    );
  };
  const options = models.map(({ name }) => ({ value: name, label: name }));
  const list = choice({ label: t("model"), options, value: models[0].name, onChange: start });
  root.append(...[list, place].filter(Boolean));
  start(models[0].name);
  return () => close();
}

/**
 * Tabs.
 *
 * @param parts [{title, fill}]: `fill(place)` fills the panel of a tab when it is chosen, that of the first one at once;
 *   it may return a function that cleans up.
 * @returns {element, close()}
 */
export function tabs(parts, { label }) {
  const panel = h("div.tab-panel", { role: "tabpanel" });
  const heads = parts.map(({ title }, i) =>
    h("button", { type: "button", role: "tab", onclick: () => choose(i) }, title),
  );
  const list = h("div.tabs", { role: "tablist", "aria-label": label }, heads);
  let chosen = -1;
  let close = () => {};
  function choose(i) {
    if (i === chosen) {
      return;
    }
    chosen = i;
    close();
    heads.forEach((head, k) => {
      head.setAttribute("aria-selected", String(k === i));
      head.tabIndex = k === i ? 0 : -1;
    });
    panel.setAttribute("aria-label", parts[i].title);
    // A place of its own, so that a part that is still loading does not fill that of the next one.
    const place = h("div.stack.close");
    panel.replaceChildren(place);
    close = parts[i].fill(place) ?? (() => {});
  }
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      const i = (chosen + step + heads.length) % heads.length;
      choose(i);
      heads[i].focus();
    }
  });
  choose(0);
  return { element: h("div", {}, list, panel), close: () => close() };
}

/** A grid of canvases that can be chosen; its tiles are the buttons. */
export function tiles({ label, pictures, labels, onPick }) {
  const buttons = pictures.map((picture, i) => {
    const tile = h("button.tile", { type: "button", "aria-label": labels[i], "aria-pressed": "false" }, picture);
    tile.addEventListener("click", () => onPick(i));
    return tile;
  });
  const items = buttons.map((tile) => h("li", {}, tile));
  return { element: h("ol.tiles", { "aria-label": label }, items), buttons };
}

/** Marks the tiles with these indices as chosen. */
export function press(buttons, chosen) {
  buttons.forEach((tile, i) => tile.setAttribute("aria-pressed", String(chosen.includes(i))));
}

/** Shows what a canvas shows on another one, which gets its size. */
export function copy(from, to) {
  Object.assign(to, { width: from.width, height: from.height });
  to.getContext("2d").drawImage(from, 0, 0);
}

/** A button of the main kind that starts and stops something: {element, show(isRunning)}. */
export function player(words, onClick) {
  const element = button(words.play, onClick, { kind: "primary" });
  return { element, show: (isRunning) => (element.textContent = isRunning ? words.stop : words.play) };
}
