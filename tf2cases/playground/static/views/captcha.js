import { createPad } from "../pad.js";
import { h } from "../parts.js";
import { blank, file, sheet } from "../pictures.js";
import { ofFiles } from "../signatures.js";
import { choice, statusLine, tabs } from "./shared.js";

const DIGITS = "0123456789";
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const BY_COUNT = { 10: DIGITS, 62: DIGITS + LETTERS + LETTERS.toUpperCase() };
const NAMED = { digits: DIGITS, lower: LETTERS, upper: LETTERS.toUpperCase(), alnum: BY_COUNT[62] };

export const view = {
  id: "captcha",
  source: "tf2cases/cases/captcha.py",
  train: "python -m bin.train_captcha",
  texts: {
    en: {
      title: "Captcha reader",
      summary:
        "One network reads all characters of a distorted picture at once, each with its own part of the last layer. " +
        "The bars show how sure it is of each.",
      shipped: "A captcha",
      own: "Write your own",
      captcha: "Captcha {index} of {count}",
      previous: "Previous",
      next: "Next",
      random: "Any",
      keys: "The left and right arrow keys change the captcha.",
      reading: "The network reads",
      sure: "{character}: {percent} sure",
      right: "Right.",
      nearly: "Right but for capitals: it is {text}.",
      wrong: "Wrong: it is {text}.",
      together: "All characters together: {percent}",
      readAll: "Read all {count}",
      tally: "{right} of {count} right",
      thumb: "Captcha {index}",
      thumbRight: "Captcha {index}, read right",
      thumbWrong: "Captcha {index}, read as {text}",
      none: "None of the page's captchas suits this model ({length} characters, {classes} kinds), so write your own.",
      pad: "Pad for a captcha",
      padHelp: "Write {length} characters side by side. The network was trained on printed ones, so write large and clearly.",
    },
    zh: {
      title: "验证码识别",
      summary: "一个网络同时读出变形图片里的所有字符，每个字符由最后一层的一部分负责。条形表示它对每个字符有多大把握。",
      shipped: "验证码",
      own: "自己写",
      captcha: "第 {index} 张，共 {count} 张",
      previous: "上一张",
      next: "下一张",
      random: "随机",
      keys: "用左右方向键换一张。",
      reading: "网络读出",
      sure: "{character}：把握 {percent}",
      right: "读对了。",
      nearly: "只有大小写不对：正确的是 {text}。",
      wrong: "读错了：正确的是 {text}。",
      together: "所有字符都对的把握：{percent}",
      readAll: "全部读一遍（{count} 张）",
      tally: "{count} 张中读对 {right} 张",
      thumb: "第 {index} 张",
      thumbRight: "第 {index} 张，读对了",
      thumbWrong: "第 {index} 张，读成了 {text}",
      none: "页面自带的验证码都不适合这个模型（{length} 个字符，{classes} 种），请自己写一张。",
      pad: "验证码手写区",
      padHelp: "并排写 {length} 个字符。网络是用印刷体训练的，请写得大而清楚。",
    },
  },

  models: (models) => models.filter((model) => ofFiles(model, "text", "characters")),

  show: (root, context) => choice(root, context, (place, model) => showModel(place, model, context)),
};

/** {characters, length, classes}: what the model reads; `characters` is null if that cannot be known. */
function charset(model) {
  const outputs = Object.values(model.signatures).map((signature) => signature.outputs);
  const shape = outputs.find(({ probabilities }) => probabilities?.shape?.length === 3)?.probabilities.shape;
  const [, length, classes] = shape ?? [null, null, null];
  const given = model.card?.config?.charset;
  return { characters: (given && (NAMED[given] ?? given)) || BY_COUNT[classes] || null, length, classes };
}

/** The captchas that a model can read, by index; those with the most kinds of characters first. */
function suitable(texts, { characters, length }) {
  const isReadable = (text) => text.length === (length ?? text.length) && [...text].every((c) => characters.includes(c));
  const found = [...texts.keys()].filter((i) => characters && isReadable(texts[i]));
  const hasLetters = (i) => /[^0-9]/.test(texts[i]);
  return found.sort((a, b) => hasLetters(b) - hasLetters(a) || a - b);
}

const percent = (value) => `${(100 * value).toFixed(value < 0.9995 && value > 0.99 ? 1 : 0)} %`;

function showModel(root, model, { t, predict }) {
  const { signature, input } = ofFiles(model, "text", "characters");
  const known = charset(model);
  const status = statusLine();
  const stopped = new AbortController();

  const answer = h("div", { class: "reading", "aria-live": "polite" });
  const read = async (files, replaces) => predict(model, { signature, inputs: { [input]: files }, replaces });

  function showAnswer(text, sure, together, truth) {
    const columns = [...text].map((character, i) => {
      const isWrong = truth && truth[i] !== character;
      const label = t("sure", { character, percent: percent(sure[i]) });
      const bar = h("div", { class: "meter" }, h("div", { class: "meter-fill" }));
      bar.firstChild.style.width = `${100 * sure[i]}%`;
      return h(
        "div",
        { class: isWrong ? "character wrong" : "character", role: "img", "aria-label": label },
        h("span", { class: "glyph" }, character),
        bar,
        h("span", { class: "percent" }, percent(sure[i])),
      );
    });
    let verdict = null;
    if (truth === text) verdict = h("p", { class: "verdict good" }, t("right"));
    else if (truth) {
      const key = truth.toLowerCase() === text.toLowerCase() ? "nearly" : "wrong";
      verdict = h("p", { class: "verdict bad" }, t(key, { text: truth }));
    }
    answer.replaceChildren(
      h("div", { class: "characters" }, ...columns),
      ...[verdict].filter(Boolean),
      ...(together === undefined ? [] : [h("p", { class: "hint" }, t("together", { percent: percent(together) }))]),
    );
  }

  let asked = 0;

  async function ask(file, truth) {
    const mine = ++asked;
    await status.watch(async () => {
      const found = await read([file], "captcha");
      if (found && mine === asked && !stopped.signal.aborted) showAnswer(found.text[0], found.characters[0], found.confidence?.[0], truth);
    });
  }

  function clear() {
    asked++;
    answer.replaceChildren();
  }

  function shipped(place) {
    const picture = h("canvas", { class: "captcha", role: "img" });
    const caption = h("span", { class: "count" });
    const thumbs = h("div", { class: "thumbs" });
    const tally = h("span", { class: "tally", role: "status" });
    let captchas = null;
    let order = [];
    let at = 0;

    function tile(index) {
      const [width, height] = captchas.facts.tile;
      const [canvas, draw] = blank(width, height);
      captchas.draw(draw, index);
      return canvas;
    }

    function show(place) {
      at = (place + order.length) % order.length;
      const canvas = tile(order[at]);
      Object.assign(picture, { width: canvas.width, height: canvas.height });
      picture.getContext("2d").drawImage(canvas, 0, 0);
      const label = t("captcha", { index: at + 1, count: order.length });
      picture.setAttribute("aria-label", label);
      caption.textContent = label;
      for (const [i, thumb] of [...thumbs.children].entries()) thumb.setAttribute("aria-pressed", i === at);
      ask(file(canvas), captchas.facts.texts[order[at]]);
    }

    function any() {
      show(at + 1 + Math.floor(Math.random() * (order.length - 1)));
    }

    async function readAll() {
      await status.watch(async () => {
        const found = await read(order.map((i) => file(tile(i))));
        if (!found || stopped.signal.aborted) return;
        let right = 0;
        found.text.forEach((text, i) => {
          const isRight = text === captchas.facts.texts[order[i]];
          right += isRight;
          thumbs.children[i].classList.add(isRight ? "right" : "wrong");
          thumbs.children[i].setAttribute("aria-label", t(isRight ? "thumbRight" : "thumbWrong", { index: i + 1, text }));
        });
        tally.textContent = t("tally", { right, count: order.length });
      });
    }

    const group = h(
      "div",
      { class: "captcha-picker" },
      picture,
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", onclick: () => show(at - 1) }, t("previous")),
        h("button", { type: "button", onclick: () => show(at + 1) }, t("next")),
        h("button", { type: "button", onclick: any }, t("random")),
        caption,
      ),
      h("p", { class: "hint" }, t("keys")),
    );
    group.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) show(at + step);
    });
    const all = h("button", { type: "button", onclick: readAll });

    status.watch(async () => {
      captchas = await sheet("captchas");
      if (stopped.signal.aborted) return;
      order = suitable(captchas.facts.texts, known);
      if (!order.length) {
        place.replaceChildren(h("p", {}, t("none", { length: known.length ?? "?", classes: known.classes ?? "?" })));
        return;
      }
      all.textContent = t("readAll", { count: order.length });
      thumbs.append(
        ...order.map((index, i) =>
          h(
            "button",
            { type: "button", "aria-label": t("thumb", { index: i + 1 }), "aria-pressed": "false", onclick: () => show(i) },
            tile(index),
          ),
        ),
      );
      place.append(group, h("div", { class: "row" }, all, tally), thumbs);
      show(0);
    });
  }

  function own(place) {
    const pad = createPad({
      width: 480,
      height: 180,
      pen: 12,
      label: t("pad"),
      onchange: () => {
        clear();
        if (!pad.isEmpty) ask(file(pad.canvas), null);
      },
    });
    place.append(h("p", { class: "hint" }, t("padHelp", { length: known.length ?? 4 })), pad.element);
  }

  root.append(
    h(
      "div",
      { class: "columns" },
      tabs([
        [t("shipped"), shipped],
        [t("own"), own],
      ], clear),
      h("section", {}, h("h2", {}, t("reading")), answer, status.element),
    ),
  );
  return () => stopped.abort();
}
