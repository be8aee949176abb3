import { h, slider } from "../parts.js";
import { between, pictureOf, uniform } from "../pictures.js";
import { ofLatents, toLatents } from "../signatures.js";
import { choice, statusLine } from "./shared.js";

const COUNT = 24; // pictures of a roll
const STEPS = 24; // from one picture to the other
const LARGEST_SEED = 999999;

export const view = {
  id: "gan",
  source: "tf2cases/cases/dcgan.py",
  train: "python -m bin.train_dcgan --dataset=mnist_sample --steps=300 --sample_every=50",
  texts: {
    en: {
      title: "Generator",
      summary:
        "The generator of a DCGAN turns random numbers into pictures; it learnt this from a second network that tells real from made. " +
        "Roll for new ones, pick two, and watch one become the other.",
      roll: "Roll",
      seed: "Seed {seed}",
      pictures: "Pictures",
      picture: "Picture {index}",
      pick: "Pick two pictures.",
      way: "From one to the other",
      wayHelp: "{width} random numbers make a picture; here, they move in a straight line from those of the first to those of the second.",
      position: "Position",
      play: "Play",
      stop: "Stop",
      between: "The picture between the two",
      first: "First",
      second: "Second",
    },
    zh: {
      title: "生成器",
      summary: "DCGAN 的生成器把随机数变成图片；它是跟另一个分辨真假的网络较量着学会的。掷一次就得到一批新图片，挑两张，看一张怎样变成另一张。",
      roll: "掷一次",
      seed: "随机种子 {seed}",
      pictures: "图片",
      picture: "图片 {index}",
      pick: "请挑两张图片。",
      way: "从一张到另一张",
      wayHelp: "每张图片由 {width} 个随机数生成；这里让它们从第一张的数沿直线变到第二张的数。",
      position: "位置",
      play: "播放",
      stop: "停止",
      between: "两张之间的图片",
      first: "第一张",
      second: "第二张",
    },
  },

  // A model that turns pictures into latents is a VAE, which has a view of its own.
  models: (models) => models.filter((model) => ofLatents(model, true) && !toLatents(model)),

  show: (root, context) => choice(root, context, (place, model) => showModel(place, model, context)),
};

/** `count` latents of a seed, uniform in [-1, 1). */
function latents(seed, count, width) {
  const draw = uniform(seed);
  return Array.from({ length: count }, () => Array.from({ length: width }, () => 2 * draw() - 1));
}

function showModel(root, model, { t, predict }) {
  const { signature, input, output, width } = ofLatents(model, true);
  const status = statusLine();
  let isGone = false;
  let seed = 1;
  let z = [];
  let picked = []; // indices, the one picked first first
  let frames = null;
  let playing = 0;

  async function generate(rows, replaces) {
    const found = await predict(model, { signature, inputs: { [input]: rows }, replaces });
    return found && !isGone ? Promise.all(found[output].map(pictureOf)) : null;
  }

  const montage = h("div", { class: "montage", role: "group", "aria-label": t("pictures") });
  const label = h("span", { class: "count", role: "status" });
  const canvas = h("canvas", { class: "picture large", role: "img", "aria-label": t("between") });
  const ends = [0, 1].map((i) =>
    h("canvas", { class: "picture end", role: "img", "aria-label": t(i ? "second" : "first") }),
  );
  const position = slider({
    label: t("position"),
    min: 0,
    max: STEPS,
    step: 1,
    value: 0,
    format: (value) => `${Math.round((100 * value) / STEPS)} %`,
    oninput: (value) => {
      stop();
      show(value);
    },
  });
  const play = h("button", { type: "button", class: "primary", onclick: () => (playing ? stop() : start()) }, t("play"));
  const way = h(
    "section",
    {},
    h("h2", {}, t("way")),
    h("div", { class: "ends" }, ends[0], canvas, ends[1]),
    position.element,
    h("div", { class: "row" }, play),
    h("p", { class: "hint" }, t("wayHelp", { width })),
  );

  function copy(from, to) {
    Object.assign(to, { width: from.width, height: from.height });
    to.getContext("2d").drawImage(from, 0, 0);
  }

  async function roll(next) {
    seed = next;
    label.textContent = t("seed", { seed });
    stop();
    await status.watch(async () => {
      const rows = latents(seed, COUNT, width);
      const made = await generate(rows, "gan-roll");
      if (!made) return;
      z = rows;
      montage.replaceChildren(
        ...made.map((picture, i) => {
          const attributes = { type: "button", "aria-label": t("picture", { index: i + 1 }), "aria-pressed": "false" };
          const button = h("button", attributes, picture);
          button.addEventListener("click", () => pick(i));
          return button;
        }),
      );
      picked = [0];
      await pick(1);
    });
  }

  async function pick(index) {
    stop();
    picked = picked.includes(index) ? picked.filter((other) => other !== index) : [...picked, index].slice(-2);
    for (const [i, button] of [...montage.children].entries()) {
      button.setAttribute("aria-pressed", picked.includes(i));
      button.dataset.place = picked.indexOf(i) + 1 || "";
    }
    way.classList.toggle("waiting", picked.length < 2);
    frames = null;
    if (picked.length < 2) return;
    const chosen = picked;
    const [from, to] = chosen.map((i) => z[i]);
    for (const [i, end] of ends.entries()) copy(montage.children[chosen[i]].firstChild, end);
    copy(ends[0], canvas);
    position.set(0);
    await status.watch(async () => {
      const rows = Array.from({ length: STEPS + 1 }, (_, i) => between(from, to, i / STEPS));
      const made = await generate(rows, "gan-way");
      if (made && picked === chosen) {
        frames = made;
        show(Number(position.input.value));
      }
    });
  }

  function show(step) {
    position.set(step);
    if (frames) copy(frames[step], canvas);
  }

  function start() {
    if (!frames) return;
    const began = performance.now();
    play.textContent = t("stop");
    const next = (now) => {
      const turn = ((now - began) / 2500) % 2; // there and back
      show(Math.round(STEPS * (turn < 1 ? turn : 2 - turn)));
      playing = requestAnimationFrame(next);
    };
    playing = requestAnimationFrame(next);
  }

  function stop() {
    cancelAnimationFrame(playing);
    playing = 0;
    play.textContent = t("play");
  }

  const any = () => roll(1 + Math.floor(Math.random() * LARGEST_SEED));
  root.append(
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        {},
        h(
          "div",
          { class: "row" },
          h("button", { type: "button", class: "primary", onclick: any }, t("roll")),
          label,
          h("span", { class: "hint" }, t("pick")),
        ),
        montage,
      ),
      way,
    ),
    status.element,
  );
  roll(seed);
  return () => {
    isGone = true;
    stop();
  };
}
