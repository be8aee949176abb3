// What the views for pictures share.

import { h } from "../parts.js";

/** A line for errors of the server: `watch` runs a function, and shows the sentence of the error that it throws. */
export function statusLine() {
  const element = h("p", { class: "error", role: "alert", hidden: true });
  const watch = async (run) => {
    try {
      await run();
      element.hidden = true;
    } catch (error) {
      element.textContent = error.message;
      element.hidden = false;
    }
  };
  return { element, watch };
}

/**
 * Shows the first of the models, with a list to choose another one if there are several.
 * @param show (root, model) => a function that cleans up.
 * @returns a function that cleans up.
 */
export function choice(root, { models, t }, show) {
  const place = h("div");
  let clean = null;
  const start = (model) => {
    clean?.();
    place.replaceChildren();
    clean = show(place, model);
  };
  if (models.length > 1) {
    const select = h("select", {}, ...models.map(({ name }) => h("option", { value: name }, name)));
    select.addEventListener("change", () => start(models.find(({ name }) => name === select.value)));
    root.append(h("label", { class: "choice" }, h("span", {}, t("model")), select));
  }
  root.append(place);
  start(models[0]);
  return () => clean?.();
}

/**
 * Tabs: each part fills its panel when it is chosen; the first one at once.
 * @param parts [[title, (place) => void]]
 * @param left called before another tab is shown.
 */
export function tabs(parts, left = () => {}) {
  const panel = h("div", { role: "tabpanel", class: "panel" });
  const buttons = parts.map(([title], i) =>
    h("button", { type: "button", role: "tab", onclick: () => choose(i) }, title),
  );
  const list = h("div", { role: "tablist", class: "tabs" }, ...buttons);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const i = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
    choose(i);
    buttons[i].focus();
  });
  let chosen = -1;
  function choose(i) {
    if (i === chosen) return;
    if (chosen >= 0) left();
    chosen = i;
    for (const [k, button] of buttons.entries()) {
      button.setAttribute("aria-selected", k === i);
      button.tabIndex = k === i ? 0 : -1;
    }
    panel.replaceChildren();
    panel.setAttribute("aria-label", parts[i][0]);
    // A place of its own, so that a part that is still loading does not fill that of the next one.
    const place = h("div", { class: "stack close" });
    panel.append(place);
    parts[i][1](place);
  }
  choose(0);
  return h("div", {}, list, panel);
}
