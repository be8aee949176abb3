// A sheet to draw on with a mouse, a finger or a pen.

import { button, css, h, onTheme, slider } from "./parts.js";

/**
 * Creates a pad.
 *
 * A stroke is {width, points: [[x, y], ...]}, in the pad's own units, from 0 to `width` and `height`. The pad shows the
 * strokes in the colours of the page; `png()` and `context()` have them black on white, whatever these colours are.
 *
 * @param options.width, height size of the picture that `png()` returns.
 * @param options.pen width of the pen; `pens` [least, most]: a slider is shown.
 * @param options.label what screen readers say.
 * @param options.hint a text on the empty sheet.
 * @param options.t the texts "undo", "clear" and "pen".
 * @param options.onChange called whenever the drawing has changed, also while the hand moves.
 */
export class Pad {
  constructor({ width, height, pen, pens = null, label, hint = "", t, onChange = () => {} }) {
    Object.assign(this, { width, height, pen, onChange });
    this.strokes = [];
    this.version = 0; // how often the drawing has changed
    this.boxes = []; // [{x, y, width, height, label, chosen}], in the pad's units, see `mark`
    this.canvas = h("canvas.pad-canvas", { role: "img", "aria-label": label });
    this.hint = h("p.pad-hint", { "aria-hidden": "true" }, hint);
    this.sheet = h("div.pad-sheet", {}, this.canvas, this.hint);
    this.sheet.style.aspectRatio = `${width} / ${height}`;
    this.undoButton = button(t("undo"), () => this.undo());
    this.clearButton = button(t("clear"), () => this.clear());
    this.tools = h("div.tools", {}, this.undoButton, this.clearButton);
    if (pens) {
      const [min, max] = pens;
      const widthSlider = slider({
        label: t("pen"),
        min,
        max,
        step: 1,
        value: pen,
        onInput: (value) => (this.pen = value),
      });
      this.tools.append(widthSlider.element);
    }
    this.element = h("div.pad", {}, this.sheet, this.tools);
    this.picture = h("canvas", { width, height });
    this.pictureContext = this.picture.getContext("2d", { willReadFrequently: true });
    this.#listen();
    this.#resized = new ResizeObserver(() => this.#show());
    this.#resized.observe(this.sheet);
    this.#endTheme = onTheme(() => this.#show());
    this.#changed(false);
  }

  #resized;
  #endTheme;
  #current = null; // {id of the pointer, stroke}
  #frame = 0;

  /** Ends what the pad listens to. */
  close() {
    this.#resized.disconnect();
    this.#endTheme();
    cancelAnimationFrame(this.#frame);
  }

  get isEmpty() {
    return this.strokes.length === 0;
  }

  undo() {
    this.strokes.pop();
    this.#changed();
  }

  clear() {
    this.strokes = [];
    this.#changed();
  }

  /** Adds a stroke at once. */
  add(points, width = this.pen) {
    this.strokes.push({ width, points: points.map(([x, y]) => [x, y]) });
    this.#changed();
  }

  /** Tells the pad that a stroke of `strokes` has changed. */
  touch() {
    this.#changed();
  }

  /** Draws boxes around what was found; [] for none. */
  mark(boxes) {
    this.boxes = boxes;
    this.#soon();
  }

  /** The drawing, black on white, as the 2D context of a canvas of the pad's size. */
  context() {
    const context = this.pictureContext;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, this.width, this.height);
    paint(context, this.strokes, "#000");
    return context;
  }

  /** The same as a PNG in base64. */
  png() {
    this.context();
    return this.picture.toDataURL("image/png").split(",")[1];
  }

  #changed(tell = true) {
    this.version++;
    this.undoButton.disabled = this.clearButton.disabled = this.isEmpty;
    this.hint.hidden = !this.isEmpty;
    if (this.isEmpty) {
      this.boxes = [];
    }
    this.#soon();
    if (tell) {
      this.onChange();
    }
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (this.#current || event.button !== 0) {
        return;
      }
      event.preventDefault();
      capture(canvas, event.pointerId);
      const stroke = { width: this.pen, points: [this.#point(event)] };
      this.#current = { id: event.pointerId, stroke };
      this.strokes.push(stroke);
      this.#changed();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.#current?.id !== event.pointerId) {
        return;
      }
      // A browser reports one event per frame, with all positions in between.
      const events = event.getCoalescedEvents?.() ?? [];
      const points = (events.length ? events : [event]).map((one) => this.#point(one));
      this.#current.stroke.points.push(...points);
      this.#changed();
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(kind, (event) => {
        if (this.#current?.id === event.pointerId) {
          this.#current = null;
          this.#changed();
        }
      });
    }
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * this.width,
      ((event.clientY - box.top) / box.height) * this.height,
    ];
  }

  #soon() {
    if (!this.#frame) {
      this.#frame = requestAnimationFrame(() => this.#show());
    }
  }

  #show() {
    this.#frame = 0;
    const { canvas, sheet } = this;
    const scale = (sheet.clientWidth * devicePixelRatio) / this.width;
    canvas.width = Math.round(this.width * scale);
    canvas.height = Math.round(this.height * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    paint(context, this.strokes, css("--ink"));
    const accent = css("--accent");
    const pixel = this.width / sheet.clientWidth; // of the screen, in the pad's units
    for (const box of this.boxes) {
      context.strokeStyle = accent;
      context.lineWidth = (box.chosen ? 2.5 : 1) * pixel;
      context.beginPath();
      context.roundRect(box.x, box.y, box.width, box.height, 8 * pixel);
      context.stroke();
      if (box.label) {
        context.font = `600 ${14 * pixel}px system-ui, sans-serif`;
        const wide = context.measureText(box.label).width + 12 * pixel;
        const high = 22 * pixel;
        const x = Math.min(box.x, this.width - wide);
        const above = box.y >= high + 3 * pixel;
        const y = above ? box.y - high - 3 * pixel : box.y + box.height + 3 * pixel;
        context.fillStyle = accent;
        context.beginPath();
        context.roundRect(x, y, wide, high, 6 * pixel);
        context.fill();
        context.fillStyle = css("--on-accent");
        context.fillText(box.label, x + 6 * pixel, y + 16 * pixel);
      }
    }
  }
}

function capture(canvas, pointer) {
  try {
    canvas.setPointerCapture(pointer);
  } catch {
    // The pointer has gone already, or a script has made the event.
  }
}

/** Paints strokes as smooth curves through the middles between their points. */
export function paint(context, strokes, colour) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineCap = context.lineJoin = "round";
  for (const { width, points } of strokes) {
    context.lineWidth = width;
    context.beginPath();
    if (points.length === 1) {
      context.arc(points[0][0], points[0][1], width / 2, 0, 2 * Math.PI);
      context.fill();
      continue;
    }
    context.moveTo(...points[0]);
    for (let i = 1; i < points.length - 1; i++) {
      const [x, y] = points[i];
      context.quadraticCurveTo(x, y, (x + points[i + 1][0]) / 2, (y + points[i + 1][1]) / 2);
    }
    context.lineTo(...points.at(-1));
    context.stroke();
  }
}
