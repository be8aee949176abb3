import { Pad } from "../pad.js";
import { button, dropZone, h, slider } from "../parts.js";
import { blank, digit, nested, normal, numbers, opened, paint, sheet } from "../pictures.js";
import { ofPictures, toLatents } from "../signatures.js";
import { eachModel, press, tabs, tiles } from "./shared.js";

const SHOWN = 12; // digits to choose from

export const view = {
  id: "denoise",
  source: "tf2cases/cases/autoencoder.py",
  train: "python -m bin.train_autoencoder --dataset=mnist_sample --epochs=10",
  texts: {
    en: {
      title: "Denoiser",
      summary:
        "The network sees only the noisy picture, and draws what it takes to be under the noise. " +
        "Raise the noise until you cannot read the digit any more, and compare.",
      clean: "Original",
      noisy: "With noise",
      denoised: "Denoised",
      noise: "Noise",
      trained: "The network was trained with noise of {noise}. ",
      again: "New noise",
      psnr: "{value} dB",
      psnrHelp: "dB is the signal-to-noise ratio (PSNR) to the original: higher is closer.",
      digits: "Test digits",
      own: "Draw your own",
      photo: "A picture",
      notPicture: "{name} is not a picture that this browser can show; choose a JPEG, PNG or WebP.",
      digit: "Test digit {label}",
      others: "Other digits",
      sources: "What is disturbed",
      pad: "Pad for a digit",
      padHint: "Draw a digit",
    },
    zh: {
      title: "去噪",
      summary: "网络只看到带噪声的图片，画出它认为藏在噪声下面的内容。把噪声调大，直到你自己也认不出数字，再比一比。",
      clean: "原图",
      noisy: "加噪声",
      denoised: "去噪后",
      noise: "噪声",
      trained: "训练时的噪声为 {noise}。",
      again: "换一份噪声",
      psnr: "{value} dB",
      psnrHelp: "dB 是与原图相比的峰值信噪比（PSNR），越高越接近原图。",
      digits: "测试数字",
      own: "自己写",
      photo: "图片",
      notPicture: "浏览器无法显示 {name}；请选择 JPEG、PNG 或 WebP 图片。",
      digit: "测试数字 {label}",
      others: "换一批数字",
      sources: "给什么加噪声",
      pad: "手写区",
      padHint: "写一个数字",
    },
  },

  // A VAE's pictures pass through latents; it has a view of its own.
  models: (models) => models.filter((model) => ofPictures(model) && !toLatents(model)),

  show: (root, context) => eachModel(root, context, (place, model) => showModel(place, model, context)),
};

function showModel(root, model, { t, predict, showError }) {
  const { signature, input, output, shape } = ofPictures(model);
  const [height, width, channels] = shape;
  const size = height * width * channels;
  const isOfDigits = height === 28 && width === 28 && channels === 1;
  const trained = model.card?.config?.noise;
  let isGone = false;
  let clean = new Float32Array(size);
  let level = Math.min(trained ?? 0.5, 1);
  let seed = 1;
  let noise = normal(seed, size);

  const frames = Object.fromEntries(
    ["clean", "noisy", "denoised"].map((name) => {
      const canvas = h("canvas.model-picture", { role: "img", "aria-label": t(name), width, height });
      const shownRatio = h("span.ratio");
      const caption = h("figcaption", {}, h("span", {}, t(name)), shownRatio);
      return [name, { canvas, ratio: shownRatio, element: h(`figure.frame.${name}`, {}, canvas, caption) }];
    }),
  );

  function ratio(values) {
    const error = values.reduce((sum, value, i) => sum + (value - clean[i]) ** 2, 0) / size;
    return t("psnr", { value: (-10 * Math.log10(Math.max(error, 1e-6))).toFixed(1) });
  }

  async function update() {
    const noisy = clean.map((value, i) => Math.min(1, Math.max(0, value + level * noise[i])));
    paint(frames.clean.canvas, clean, shape);
    paint(frames.noisy.canvas, noisy, shape);
    frames.noisy.ratio.textContent = ratio(noisy);
    const found = await predict(model, { signature, inputs: { [input]: [nested(noisy, shape)] }, replaces: "noisy" });
    if (found && !isGone) {
      const [made] = found[output];
      paint(frames.denoised.canvas, made, shape);
      frames.denoised.ratio.textContent = ratio(Float32Array.from(made.flat(2)));
    }
  }

  /** Takes the middle of a picture of any size as the clean one. */
  function take(picture, [wide, high] = [picture.width, picture.height]) {
    const [fitted, draw] = blank(width, height);
    draw.imageSmoothingQuality = "high";
    const scale = Math.max(width / wide, height / high);
    draw.drawImage(picture, (width - wide * scale) / 2, (height - high * scale) / 2, wide * scale, high * scale);
    clean = numbers(fitted, channels);
    update();
  }

  const noiseLevel = slider({
    label: t("noise"),
    min: 0,
    max: 1,
    step: 0.01,
    value: level,
    format: (value) => value.toFixed(2),
    onInput: (value) => {
      level = value;
      update();
    },
  });
  const again = button(t("again"), () => {
    noise = normal(++seed, size);
    update();
  });

  function testDigits(place) {
    const grid = h("div.digit-tiles");
    let first = 0;
    const start = async () => {
      const digits = await sheet("digits");
      const more = () => {
        const indices = Array.from({ length: SHOWN }, (_, i) => (first + i) % digits.count);
        const pictures = indices.map(digits.tile);
        const labels = indices.map((index) => t("digit", { label: digits.facts.labels[index] }));
        const choose = (i) => {
          press(made.buttons, [i]);
          take(pictures[i]);
        };
        const made = tiles({ label: t("digits"), pictures, labels, onPick: choose });
        grid.replaceChildren(made.element);
        choose(0);
        first += SHOWN;
      };
      if (!isGone && place.isConnected) {
        place.append(grid, h("div.row", {}, button(t("others"), more)));
        more();
      }
    };
    start();
  }

  function own(place) {
    const draw = () => {
      const { canvas } = pad.context();
      take(isOfDigits ? digit(canvas) : canvas);
    };
    const pad = new Pad({ width: 280, height: 280, pen: 20, label: t("pad"), hint: t("padHint"), t, onChange: draw });
    draw();
    place.append(h("div.small-pad", {}, pad.element));
    return () => pad.close();
  }

  function photo(place) {
    const open = async (chosen) => {
      const address = URL.createObjectURL(chosen);
      try {
        const image = await opened(address);
        take(image, [image.naturalWidth, image.naturalHeight]);
      } catch {
        showError(new Error(t("notPicture", { name: chosen.name })));
      }
      URL.revokeObjectURL(address);
    };
    const zone = dropZone({ label: t("choose"), onFile: open });
    place.append(zone.element);
    return () => zone.close();
  }

  const sources = [
    { title: t("digits"), fill: testDigits },
    { title: t("own"), fill: own },
    { title: t("photo"), fill: photo },
  ];
  const source = tabs(isOfDigits ? sources.slice(0, 2) : sources, { label: t("sources") });
  root.append(
    h("div.frames", {}, frames.clean.element, frames.noisy.element, frames.denoised.element),
    h("div.row.controls", {}, noiseLevel.element, again),
    h("p.hint", {}, trained && t("trained", { noise: trained }), t("psnrHelp")),
    source.element,
  );
  return () => {
    isGone = true;
    source.close();
  };
}
