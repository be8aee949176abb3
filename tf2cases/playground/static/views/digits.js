// Digits: draw, and every digit model says what it reads.

import { Pad } from "../pad.js";
import { dense, digitStrokes } from "../strokes.js";

// The sheet's size in pixels, as the server gets it; a larger one takes longer and is read no better.
const width = 360;
const height = 240;
const margin = 5; // between a digit and its box
const digits = [..."0123456789"];
const find = "find_digits_bytes";
const readOne = "classify_bytes";

/** Whether a model reads digits from pictures of 28x28 pixels and finds several on a page. */
function readsDigits({ signatures }) {
  const { serving_default: plain, read_digits_bytes: several } = signatures;
  const shape = plain?.inputs.images?.shape;
  const classes = plain?.outputs.probabilities?.shape?.[1];
  return Boolean(several && signatures[readOne] && shape?.[1] === 28 && shape[2] === 28 && classes === digits.length);
}

/** What the card says about the test digits; 0 without a card. */
function accuracy({ card }) {
  return card?.metrics?.accuracy ?? 0;
}

/** What the model is called beside its bars: the network, if the card says so, and the name. */
function caption({ name, card }) {
  const networks = { mlp: "MLP", cnn: "CNN", small_cnn: "CNN" };
  const network = networks[card?.config?.model];
  return network && network.toLowerCase() !== name.toLowerCase() ? [network, name] : [name, ""];
}

export const view = {
  id: "digits",
  source: "tf2cases/cases/mnist.py",
  train: "python -m bin.train_mnist --dataset=mnist_sample --epochs=20",
  texts: {
    en: {
      title: "Digits",
      summary:
        "Draw a digit, or several, and watch the networks make up their minds while your hand moves. They see no more than 28 by 28 grey pixels of each digit.",
      pad: "Sheet to draw digits on",
      hint: "Draw a digit here",
      example: "Draw one for me",
      seen: "What the network sees",
      seen_digit: "Digit {place} as the network sees it, read as {digit}",
      reading: "Read by {model}",
      nothing: "nothing yet",
      probabilities: "Probabilities of the digits, by {model}",
      found: "Digits found",
    },
    zh: {
      title: "手写数字",
      summary: "写一个或几个数字，笔还在动，网络就已经在判断。网络看到的只是每个数字 28×28 的灰度像素。",
      pad: "写数字的画板",
      hint: "在这里写数字",
      example: "替我写一个",
      seen: "网络看到的图像",
      seen_digit: "第 {place} 个数字在网络眼中的样子，识别为 {digit}",
      reading: "{model} 的识别结果",
      nothing: "还没有",
      probabilities: "{model} 给出的各数字概率",
      found: "找到的数字",
    },
  },

  /** The best one first. */
  models: (models) => models.filter(readsDigits).sort((a, b) => accuracy(b) - accuracy(a)),

  show(root, { h, t, models, predict, button, columns, picture, percent, calm }) {
    const finder = models.find((model) => find in model.signatures);
    let found = []; // [{image, box, certainty, scores: {model: [10]}}], in reading order
    let chosen = 0;
    let picked = null; // what was clicked; until the next stroke, it is shown, and not the digit under the hand
    let cleared = 0; // the version of the drawing when it was cleared last
    let left = false;

    const pad = new Pad({
      width,
      height,
      pen: 12,
      pens: [5, 24],
      label: t("pad"),
      hint: t("hint"),
      t,
      onChange: () => look(),
    });
    const example = button(t("example"), () => drawExample());
    pad.tools.prepend(example);

    const answer = h("p.answer", { role: "status", "aria-live": "polite" });
    const seen = picture({ label: t("seen") });
    const strip = h("ol.strip", { "aria-label": t("found") });
    const readers = models.map((model) => {
      const [name, detail] = caption(model);
      const sure = h("span.sure");
      const chart = columns(digits, { label: t("probabilities", { model: model.name }) });
      const head = h("div.reader-head", {}, h("h3", {}, name), h("span.detail", {}, detail), sure);
      return { model, sure, chart, element: h("section.reader", {}, head, chart.element) };
    });
    const result = h(
      "div.card.result",
      {},
      h(
        "div.seen",
        {},
        h("div.answer-box", {}, h("h2.small", {}, t("reading", { model: caption(models[0])[0] })), answer),
        h("figure.sees", {}, seen.element, h("figcaption", {}, t("seen"))),
      ),
      strip,
      readers.map((reader) => reader.element),
    );
    root.append(h("div.card", {}, pad.element), result);

    async function look() {
      picked = null;
      root.dataset.drawn = pad.version;
      if (pad.isEmpty) {
        cleared = pad.version;
        found = [];
        showFound();
        setRead(pad.version);
        return;
      }
      const update = finder ? lookFor : readAsOne;
      await update();
    }

    /** Finds the digits once, and asks every model about the same pictures. */
    async function lookFor() {
      let version;
      const inputs = () => {
        version = pad.version;
        return { image_bytes: [{ b64: pad.png() }] };
      };
      const page = await predict(finder, { signature: find, inputs, replaces: "find" });
      if (!page || left || pad.isEmpty) {
        return;
      }
      const count = page.count[0];
      const images = page.images[0].slice(0, count);
      const next = images.map((image, i) => ({
        image,
        box: page.boxes[0][i],
        certainty: page.certainty[0][i],
        scores: {},
      }));
      await Promise.all(
        models.map(async (model) => {
          if (count) {
            const read = await predict(model, { inputs: { images }, replaces: `read ${model.name}` });
            if (read) {
              read.probabilities.forEach((scores, i) => (next[i].scores[model.name] = scores));
              showNow(next, version);
            }
          }
        }),
      );
      if (!count) {
        showNow(next, version);
      }
      setRead(version);
    }

    /** For models whose export has no signature that finds digits: one digit on the whole sheet, without its picture. */
    async function readAsOne() {
      const next = [{ image: null, box: null, certainty: 1, scores: {} }];
      const versions = await Promise.all(
        models.map(async (model) => {
          let version;
          const inputs = () => {
            version = pad.version;
            return { image_bytes: [{ b64: pad.png() }] };
          };
          const read = await predict(model, { signature: readOne, inputs, replaces: `read ${model.name}` });
          if (read) {
            next[0].scores[model.name] = read.probabilities[0];
            showNow(next, version);
          }
          return version;
        }),
      );
      setRead(Math.min(...versions));
    }

    function showNow(next, version) {
      // An answer may be of a drawing that has been cleared since.
      if (!left && version >= cleared) {
        found = next;
        showFound();
      }
    }

    /** Says in data-read, beside data-drawn, which version of the drawing every model has read. */
    function setRead(version) {
      if (!left && version >= cleared) {
        root.dataset.read = version;
      }
    }

    /** The digit that is nearest to the end of the last stroke. */
    function nearHand() {
      const [x, y] = pad.strokes.at(-1)?.points.at(-1) ?? [0, 0];
      const away = found.map(({ box }) => {
        const [top, start, bottom, end] = box ?? [0, 0, 1, 1];
        const [dx, dy] = [
          Math.max(start * width - x, x - end * width, 0),
          Math.max(top * height - y, y - bottom * height, 0),
        ];
        return Math.hypot(dx, dy);
      });
      return Math.max(away.indexOf(Math.min(...away)), 0);
    }

    /** What the first model that has answered reads. */
    function label({ scores }) {
      const [first] = models.map(({ name }) => scores[name]).filter(Boolean);
      return first ? digits[first.indexOf(Math.max(...first))] : "";
    }

    /** Shows what was found. */
    function showFound() {
      chosen = picked === null ? nearHand() : Math.min(picked, Math.max(found.length - 1, 0));
      const labels = found.map(label);
      answer.textContent = labels.join(" ") || t("nothing");
      answer.classList.toggle("empty", !labels.join(""));
      seen.update(found[chosen]?.image);
      seen.element.classList.toggle("blank", !found[chosen]?.image);
      for (const { model, chart, sure } of readers) {
        const scores = found[chosen]?.scores[model.name];
        chart.update(scores ?? null);
        sure.textContent = scores ? percent(Math.max(...scores)) : "";
      }
      pad.mark(
        found
          .map(({ box }, i) => ({
            box,
            label: found.length > 1 ? labels[i] : "",
            chosen: found.length > 1 && i === chosen,
          }))
          .filter(({ box }) => box)
          .map(({ box: [top, start, bottom, end], ...rest }) => ({
            x: start * width - margin,
            y: top * height - margin,
            width: (end - start) * width + 2 * margin,
            height: (bottom - top) * height + 2 * margin,
            ...rest,
          })),
      );
      showStrip(labels);
    }

    function showStrip(labels) {
      strip.hidden = found.length < 2;
      if (strip.hidden) {
        strip.replaceChildren();
        return;
      }
      const focused = [...strip.querySelectorAll("button")].indexOf(document.activeElement);
      strip.replaceChildren(
        ...found.map(({ image }, i) => {
          const text = t("seen_digit", { place: i + 1, digit: labels[i] });
          const small = picture({ label: text });
          small.update(image);
          const choose = () => {
            picked = i;
            showFound();
          };
          const tile = { type: "button", "aria-pressed": String(i === chosen), onclick: choose };
          return h("li", {}, h("button.tile", tile, small.element, h("span", { "aria-hidden": "true" }, labels[i])));
        }),
      );
      if (focused >= 0) {
        strip.querySelectorAll("button")[Math.min(focused, found.length - 1)].focus();
      }
    }

    let drawing = 0;

    /** Draws a digit as a hand would, beside those that are there, or on a new sheet. */
    async function drawExample() {
      const turn = ++drawing;
      const room = 3;
      if (found.length >= room || found.length === 0) {
        pad.clear();
      }
      const place = found.length % room;
      const which = Math.floor(Math.random() * digits.length);
      const size = 0.4 * width * (0.9 + 0.2 * Math.random());
      const x = width * (0.08 + 0.3 * place) + (place ? 0 : 8 * Math.random());
      const y = (height - 1.4 * size * 0.75) / 2;
      for (const points of digitStrokes[which]) {
        const all = dense(points, 0.06).map(([a, b]) => [x + a * size * 0.6, y + b * size * 0.75]);
        const stroke = { width: pad.pen, points: [all[0]] };
        pad.strokes.push(stroke);
        for (const point of all.slice(1)) {
          if (!calm()) {
            await new Promise(requestAnimationFrame);
          }
          if (left || turn !== drawing || !pad.strokes.includes(stroke)) {
            return;
          }
          stroke.points.push(point);
          pad.touch();
        }
      }
    }

    showFound();
    return () => {
      left = true;
      pad.close();
    };
  },
};
