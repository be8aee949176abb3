import { button, h, slider } from "../parts.js";
import { between, pictureOf, uniform } from "../pictures.js";
import { ofLatents, toLatents } from "../signatures.js";
import { copy, eachModel, player, press, tiles } from "./shared.js";

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
      wayHelp:
        "{width} random numbers make a picture; here, they move in a straight line from those of the first to those of the second.",
      position: "Position",
      play: "Play",
      stop: "Stop",
      between: "The picture between the two",
      first: "First",
      second: "Second",
    },
    zh: {
      title: "生成器",
      summary:
        "DCGAN 的生成器把随机数变成图片，这是它在与另一个辨别真假的网络的较量中学会的。可以换一批新图片，再挑两张，看一张怎样变成另一张。",
      roll: "换一批",
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

  show: (root, context) => eachModel(root, context, (place, model) => showModel(place, model, context)),
};

/** `count` latents of a seed, uniform in [-1, 1). */
function latents(seed, count, width) {
  const draw = uniform(seed);
  return Array.from({ length: count }, () => Array.from({ length: width }, () => 2 * draw() - 1));
}

function showModel(root, model, { t, predict }) {
  const { signature, input, output, width } = ofLatents(model, true);
  let isGone = false;
  let z = [];
  let grid = null;
  let picked = []; // two indices, the one that was picked first first
  let frames = null; // the pictures between these two
  let playing = 0; // the frame request

  async function generate(rows, replaces) {
    const found = await predict(model, { signature, inputs: { [input]: rows }, replaces });
    return found && !isGone ? Promise.all(found[output].map(pictureOf)) : null;
  }

  const montage = h("div.montage");
  const label = h("span.count", { role: "status" });
  const shown = h("canvas.model-picture", { role: "img", "aria-label": t("between") });
  const ends = ["first", "second"].map((key) => h("canvas.model-picture", { role: "img", "aria-label": t(key) }));
  const position = slider({
    label: t("position"),
    min: 0,
    max: STEPS,
    step: 1,
    value: 0,
    format: (value) => `${Math.round((100 * value) / STEPS)}%`,
    onInput: (value) => {
      stop();
      show(value);
    },
  });
  const play = player({ play: t("play"), stop: t("stop") }, () => (playing ? stop() : start()));
  const way = h(
    "section.card.way",
    {},
    h("h2", {}, t("way")),
    h("div.ends", {}, ends[0], shown, ends[1]),
    position.element,
    h("div.row", {}, play.element),
    h("p.hint", {}, t("wayHelp", { width })),
  );

  async function roll(seed) {
    stop();
    label.textContent = t("seed", { seed });
    const rows = latents(seed, COUNT, width);
    const pictures = await generate(rows, "roll");
    if (!pictures) {
      return;
    }
    z = rows;
    const labels = pictures.map((_, i) => t("picture", { index: i + 1 }));
    grid = tiles({ label: t("pictures"), pictures, labels, onPick: pick });
    montage.replaceChildren(grid.element);
    picked = [0];
    await pick(1);
  }

  async function pick(index) {
    stop();
    picked = picked.includes(index) ? picked.filter((other) => other !== index) : [...picked, index].slice(-2);
    press(grid.buttons, picked);
    grid.buttons.forEach((tile, i) => (tile.dataset.place = picked.indexOf(i) + 1 || ""));
    way.classList.toggle("waiting", picked.length < 2);
    play.element.disabled = position.input.disabled = picked.length < 2;
    frames = null;
    if (picked.length < 2) {
      return;
    }
    const chosen = picked;
    chosen.forEach((i, k) => copy(grid.buttons[i].firstChild, ends[k]));
    copy(ends[0], shown);
    position.value = 0;
    const [from, to] = chosen.map((i) => z[i]);
    const rows = Array.from({ length: STEPS + 1 }, (_, i) => between(from, to, i / STEPS));
    const made = await generate(rows, "way");
    if (made && picked === chosen) {
      frames = made;
      show(position.value);
    }
  }

  function show(step) {
    position.value = step;
    if (frames) {
      copy(frames[step], shown);
    }
  }

  function start() {
    if (!frames) {
      return;
    }
    play.show(true);
    const began = performance.now();
    const next = (now) => {
      const turn = (Math.max(0, now - began) / 2500) % 2; // there and back
      show(Math.round(STEPS * (turn < 1 ? turn : 2 - turn)));
      playing = requestAnimationFrame(next);
    };
    playing = requestAnimationFrame(next);
  }

  function stop() {
    cancelAnimationFrame(playing);
    playing = 0;
    play.show(false);
  }

  const any = () => roll(1 + Math.floor(Math.random() * LARGEST_SEED));
  const roller = button(t("roll"), any, { kind: "primary" });
  root.append(
    h("div.split", {}, h("div", {}, h("div.row", {}, roller, label, h("span.hint", {}, t("pick"))), montage), way),
  );
  roll(1);
  return () => {
    isGone = true;
    stop();
  };
}
