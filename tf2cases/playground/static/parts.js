// Widgets that the views share. None of them knows about models.

/**
 * Creates an element.
 *
 * @param name of the element, with classes after dots: "div.bars".
 * @param properties those of the element; `on...` are listeners, names with a dash are attributes.
 * @param children elements and texts; null and false are left out.
 */
export function h(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) {
      element.addEventListener(key.slice(2), value);
    } else if (key.includes("-") || key === "role" || key === "for") {
      element.setAttribute(key, value);
    } else {
      element[key] = value;
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

let ids = 0;

/** An id that no other element has. */
export function newId(prefix = "id") {
  return `${prefix}-${++ids}`;
}

/** A button; `kind` is "" or "primary". */
export function button(label, onClick, { kind = "", title = "", pressed = null } = {}) {
  const element = h("button.button", { type: "button", onclick: onClick }, label);
  if (kind) {
    element.classList.add(kind);
  }
  if (title) {
    element.title = title;
    element.setAttribute("aria-label", title);
  }
  if (pressed !== null) {
    element.setAttribute("aria-pressed", String(pressed));
  }
  return element;
}

/**
 * A slider with its label and value.
 *
 * @returns {element, input, value (get and set)}; setting the value does not call `onInput`.
 */
export function slider({ label, min, max, step = "any", value, format = String, onInput = () => {} }) {
  const id = newId("slider");
  const shown = h("output.slider-value", { htmlFor: id });
  const input = h("input", { type: "range", id, min, max, step, value });
  const show = () => {
    shown.textContent = format(Number(input.value));
    input.setAttribute("aria-valuetext", shown.textContent);
    input.style.setProperty("--part", (Number(input.value) - min) / (max - min || 1));
  };
  input.value = value;
  input.addEventListener("input", () => {
    show();
    onInput(Number(input.value));
  });
  show();
  const element = h("div.slider", {}, h("label", { htmlFor: id }, label), shown, input);
  return {
    element,
    input,
    get value() {
      return Number(input.value);
    },
    set value(number) {
      input.value = number;
      show();
    },
  };
}

/**
 * Columns for probabilities, such as those of the ten digits.
 *
 * @returns {element, update(values or null)}: values in [0, 1]; the largest one is marked. null: none.
 */
export function columns(labels, { label }) {
  const fills = labels.map(() => h("span.column-fill"));
  const cells = labels.map((text, i) =>
    h("li.column", {}, h("span.column-track", { "aria-hidden": "true" }, fills[i]), h("span.column-label", {}, text)),
  );
  const element = h("ol.columns", { "aria-label": label }, cells);
  return {
    element,
    update(values) {
      const best = values ? values.indexOf(Math.max(...values)) : -1;
      cells.forEach((cell, i) => {
        const value = values ? values[i] : 0;
        fills[i].style.transform = `scaleY(${value})`;
        cell.classList.toggle("best", i === best);
        cell.title = values ? `${labels[i]}: ${percent(value)}` : "";
      });
    },
  };
}

/**
 * Rows for named probabilities, the largest first, such as the top 5 of a classifier.
 *
 * @returns {element, update([{label, value}])}
 */
export function bars({ label }) {
  const element = h("ol.bars", { "aria-label": label });
  return {
    element,
    update(rows) {
      element.replaceChildren(
        ...rows.map(({ label: name, value }, i) => {
          const fill = h("span.bar-fill");
          fill.style.transform = `scaleX(${value})`;
          return h(
            i === 0 ? "li.bar.best" : "li.bar",
            {},
            h("span.bar-label", {}, name),
            h("span.bar-value", {}, percent(value)),
            h("span.bar-track", { "aria-hidden": "true" }, fill),
          );
        }),
      );
    },
  };
}

/** A probability as text: 97.3%. */
export function percent(value) {
  return `${(value * 100).toFixed(value > 0.9995 || value < 0.0005 ? 0 : 1)}%`;
}

/** ImageData of a picture, nested lists [height][width][1 or 3] or [height][width] with values in [0, 1]. */
export function imageData(nested, { invert = false } = {}) {
  const height = nested.length;
  const width = nested[0].length;
  const data = new ImageData(width, height);
  let at = 0;
  for (const row of nested) {
    for (const pixel of row) {
      const channels = Array.isArray(pixel) ? pixel : [pixel];
      for (let k = 0; k < 3; k++) {
        const value = Math.min(Math.max(channels[channels.length === 1 ? 0 : k], 0), 1) * 255;
        data.data[at++] = invert ? 255 - value : value;
      }
      data.data[at++] = 255;
    }
  }
  return data;
}

/**
 * A canvas that shows a picture of nested lists; small ones appear with visible pixels.
 *
 * @returns {element, update(picture or null)}
 */
export function picture({ label, width = 28, height = 28, invert = false, smooth = false }) {
  const element = h(smooth ? "canvas.picture" : "canvas.picture.pixels", { width, height, role: "img" });
  element.setAttribute("aria-label", label);
  const context = element.getContext("2d");
  return {
    element,
    update(nested) {
      if (!nested) {
        context.clearRect(0, 0, element.width, element.height);
        return;
      }
      const data = imageData(nested, { invert });
      element.width = data.width;
      element.height = data.height;
      context.putImageData(data, 0, 0);
    },
  };
}

/**
 * A grid of pictures that can be chosen.
 *
 * @param onPick called with the index of the picture that is clicked; without it, they are only shown.
 * @returns {element, update(pictures, {labels, chosen})}: nested lists as for `picture`; chosen: indices.
 */
export function pictureGrid({ label, onPick = null, invert = false, smooth = false }) {
  const element = h("ol.grid", { "aria-label": label });
  return {
    element,
    update(pictures, { labels = [], chosen = [] } = {}) {
      element.replaceChildren(
        ...pictures.map((nested, i) => {
          const text = labels[i] ?? `${i + 1}`;
          const shown = picture({ label: text, invert, smooth });
          shown.update(nested);
          if (!onPick) {
            return h("li", {}, shown.element);
          }
          const chosenNow = String(chosen.includes(i));
          return h(
            "li",
            {},
            h("button.tile", { type: "button", "aria-pressed": chosenNow, onclick: () => onPick(i) }, shown.element),
          );
        }),
      );
    },
  };
}

/**
 * A place to drop, paste or choose a picture file; on a phone, also to photograph one.
 *
 * @param onFile called with the File.
 * @returns {element, close()}
 */
export function dropZone({ label, hint = "", onFile, capture = "" }) {
  const input = h("input", { type: "file", accept: "image/*", id: newId("file") });
  if (capture) {
    input.setAttribute("capture", capture);
  }
  const element = h("div.drop", {}, h("label", { htmlFor: input.id }, label), input, hint && h("p.hint", {}, hint));
  const take = (files) => {
    const file = [...(files ?? [])].find((one) => one.type.startsWith("image/"));
    if (file) {
      onFile(file);
    }
  };
  input.addEventListener("change", () => {
    take(input.files);
    input.value = ""; // so that the same file can be chosen again
  });
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("over");
    take(event.dataTransfer.files);
  });
  const paste = (event) => take(event.clipboardData.files);
  document.addEventListener("paste", paste);
  return { element, close: () => document.removeEventListener("paste", paste) };
}

/**
 * A choice between a few things, such as models; nothing if there is only one.
 *
 * @param options [{value, label}]
 */
export function choice({ label, options, value, onChange }) {
  if (options.length < 2) {
    return null;
  }
  const id = newId("choice");
  const select = h(
    "select",
    { id, onchange: () => onChange(select.value) },
    options.map((option) => h("option", { value: option.value }, option.label)),
  );
  select.value = value;
  return h("div.choice", {}, h("label", { htmlFor: id }, label), select);
}

/** Copies a text. Browsers offer the clipboard only to pages from this computer or over https; elsewhere it is the old way. */
export async function copyText(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = h("textarea", { value: text, className: "copying" });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** A button that copies what `text()` returns, and says so. */
export function copyButton(label, copied, text) {
  const element = button(label, async () => {
    await copyText(text());
    element.textContent = copied;
    setTimeout(() => (element.textContent = label), 1500);
  });
  return element;
}

/** A piece of code with a button that copies it; `full` is what is copied, by default what is shown. */
export function code(shown, { full = shown, copy, copied }) {
  const copier = copyButton(copy, copied, () => full);
  // Lines break between words only, and not after the dashes of a flag.
  const words = shown.split(" ").flatMap((word, i) => [i > 0 && " ", h("span.word", {}, word)]);
  return h("div.code", {}, h("pre", { tabIndex: 0 }, h("code", {}, words)), copier);
}

/** The value of a custom property of the style sheet, such as "--accent". */
export function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Calls a function when the page changes between light and dark; returns a function that ends this. */
export function onTheme(listener) {
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
}

/** Whether animations are unwanted. */
export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
