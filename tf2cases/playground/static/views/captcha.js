import { Pad } from "../pad.js";
import { button, h, percent } from "../parts.js";
import { file, sheet } from "../pictures.js";
import { ofFiles } from "../signatures.js";
import { copy, eachModel, press, tabs, tiles } from "./shared.js";

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
      title: "Captchas",
      summary:
        "One network reads all characters of a distorted picture at once, each with its own part of the last layer. " +
        "The bars show how sure it is of each.",
      shipped: "A captcha",
      own: "Write your own",
      captcha: "Captcha {index} of {count}",
      previous: "Previous",
      next: "Next",
      random: "Random",
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
      sources: "What is read",
      pad: "Pad for a captcha",
      padHint: "Write here",
      padHelp:
        "Write {length} characters side by side. The network was trained on printed ones, so write large and clearly.",
    },
    zh: {
      title: "验证码",
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
      sources: "读什么",
      pad: "验证码手写区",
      padHint: "写在这里",
      padHelp: "并排写 {length} 个字符。网络是用印刷体训练的，请写得大而清楚。",
    },
  },

  models: (models) => models.filter((model) => ofFiles(model, "text", "characters")),

  show: (root, context) => eachModel(root, context, (place, model) => showModel(place, model, context)),
};

/** {characters, length, classes}: what the model reads; `characters` is null if that cannot be known. */
export function charset(model) {
  const outputs = Object.values(model.signatures).map((signature) => signature.outputs);
  const shape = outputs.find(({ probabilities }) => probabilities?.shape?.length === 3)?.probabilities.shape;
  const [, length, classes] = shape ?? [null, null, null];
  const given = model.card?.config?.charset;
  return { characters: (given && (NAMED[given] ?? given)) || BY_COUNT[classes] || null, length, classes };
}

/** The captchas that a model can read, by index; those with the most kinds of characters first. */
export function suitable(texts, { characters, length }) {
  const isReadable = (text) =>
    text.length === (length ?? text.length) && [...text].every((c) => characters.includes(c));
  const found = [...texts.keys()].filter((i) => characters && isReadable(texts[i]));
  const hasLetters = (i) => /[^0-9]/.test(texts[i]);
  return found.sort((a, b) => hasLetters(b) - hasLetters(a) || a - b);
}

function showModel(root, model, { t, predict }) {
  const { signature, input } = ofFiles(model, "text", "characters");
  const known = charset(model);
  const answer = h("div.reading", { "aria-live": "polite" });
  const gallery = h("section.gallery.stack.close");
  let isGone = false;
  let asked = 0; // captchas so far

  const read = (files, replaces) => predict(model, { signature, inputs: { [input]: files }, replaces });

  async function ask(picture, truth) {
    const mine = ++asked;
    const found = await read([picture], "one");
    if (found && mine === asked && !isGone) {
      showAnswer(found.text[0], found.characters[0], found.confidence?.[0], truth);
    }
  }

  function showAnswer(text, sure, together, truth) {
    const cells = [...text].map((character, i) => {
      const label = t("sure", { character, percent: percent(sure[i]) });
      const fill = h("span.meter-fill");
      fill.style.transform = `scaleX(${sure[i]})`;
      const cell = h(
        "li.character",
        { "aria-label": label },
        h("span.glyph", {}, character),
        h("span.meter", { "aria-hidden": "true" }, fill),
        h("span.certainty", {}, percent(sure[i])),
      );
      cell.classList.toggle("wrong", Boolean(truth) && truth[i] !== character);
      return cell;
    });
    answer.replaceChildren(
      h("ol.characters", {}, cells),
      ...[
        truth && verdict(text, truth),
        together !== undefined && h("p.hint", {}, t("together", { percent: percent(together) })),
      ].filter(Boolean),
    );
  }

  function verdict(text, truth) {
    if (text === truth) {
      return h("p.verdict.right", {}, t("right"));
    }
    const key = text.toLowerCase() === truth.toLowerCase() ? "nearly" : "wrong";
    return h("p.verdict.wrong", {}, t(key, { text: truth }));
  }

  function shipped(place) {
    const start = async () => {
      const captchas = await sheet("captchas");
      if (isGone || !place.isConnected) {
        return;
      }
      const order = suitable(captchas.facts.texts, known);
      if (order.length === 0) {
        place.append(h("p", {}, t("none", { length: known.length ?? "?", classes: known.classes ?? "?" })));
      } else {
        showCaptchas(place, captchas, order);
      }
    };
    start();
    return () => gallery.replaceChildren();
  }

  function showCaptchas(place, captchas, order) {
    const texts = order.map((index) => captchas.facts.texts[index]);
    const pictures = order.map(captchas.tile);
    const count = order.length;
    const shown = h("canvas.captcha", { role: "img" });
    const caption = h("span.count");
    const tally = h("span.count", { role: "status" });
    const labels = texts.map((_, i) => t("thumb", { index: i + 1 }));
    const grid = tiles({ label: t("shipped"), pictures, labels, onPick: (i) => show(i) });
    let at = 0;

    function show(wanted) {
      at = (wanted + count) % count;
      copy(pictures[at], shown);
      caption.textContent = t("captcha", { index: at + 1, count });
      shown.setAttribute("aria-label", caption.textContent);
      press(grid.buttons, [at]);
      // One stop for the tabulator key; the arrow keys go on from there.
      grid.buttons.forEach((tile, i) => (tile.tabIndex = i === at ? 0 : -1));
      ask(file(pictures[at]), texts[at]);
    }

    async function readAll() {
      const found = await read(pictures.map((picture) => file(picture)));
      if (!found || isGone) {
        return;
      }
      found.text.forEach((text, i) => {
        const isRight = text === texts[i];
        const tile = grid.buttons[i];
        tile.classList.toggle("right", isRight);
        tile.classList.toggle("wrong", !isRight);
        tile.setAttribute("aria-label", t(isRight ? "thumbRight" : "thumbWrong", { index: i + 1, text }));
      });
      const right = texts.filter((text, i) => text === found.text[i]).length;
      tally.textContent = t("tally", { right, count });
    }

    const any = () => show(at + 1 + Math.floor(Math.random() * (count - 1)));
    const steps = h(
      "div.row",
      {},
      button(t("previous"), () => show(at - 1)),
      button(t("next"), () => show(at + 1)),
      button(t("random"), any),
      caption,
    );
    place.append(shown, steps, h("p.hint.keys", {}, t("keys")));
    gallery.replaceChildren(grid.element, h("div.row", {}, button(t("readAll", { count }), readAll), tally));
    for (const element of [steps, grid.element]) {
      element.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (step) {
          show(at + step);
          if (element === grid.element) {
            grid.buttons[at].focus();
          }
        }
      });
    }
    show(0);
  }

  function own(place) {
    const draw = () => {
      clear();
      if (!pad.isEmpty) {
        ask({ b64: pad.png() }, null);
      }
    };
    const pad = new Pad({ width: 480, height: 180, pen: 12, label: t("pad"), hint: t("padHint"), t, onChange: draw });
    place.append(h("p.hint", {}, t("padHelp", { length: known.length ?? 4 })), pad.element);
    return () => {
      pad.close();
      clear();
    };
  }

  function clear() {
    asked++;
    answer.replaceChildren();
  }

  const sources = [
    { title: t("shipped"), fill: shipped },
    { title: t("own"), fill: own },
  ];
  const source = tabs(sources, { label: t("sources") });
  const reading = h("section.card", {}, h("h2", {}, t("reading")), answer);
  root.append(h("div.split", {}, source.element, reading), gallery);
  return () => {
    isGone = true;
    source.close();
  };
}
