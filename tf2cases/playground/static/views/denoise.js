import { createPad } from "../pad.js";
import { h, slider } from "../parts.js";
import { blank, digit, nested, normal, numbers, opened, paint, sheet } from "../pictures.js";
import { ofPictures, toLatents } from "../signatures.js";
import { choice, statusLine, tabs } from "./shared.js";

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
      trained: "The network was trained with noise of {noise}.",
      again: "New noise",
      psnr: "{value} dB",
      psnrHelp: "dB is the signal-to-noise ratio (PSNR) to the original: higher is closer.",
      digits: "Test digits",
      own: "Draw your own",
      photo: "A picture",
      choose: "Choose a picture",
      digit: "Test digit {label}",
      others: "Other digits",
      pad: "Pad for a digit",
    },
    zh: {
      title: "去噪器",
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
      choose: "选择图片",
      digit: "测试数字 {label}",
      others: "换一批数字",
      pad: "手写区",
    },
  },

  // A VAE's pictures pass through latents; it has a view of its own.
  models: (models) => models.filter((model) => ofPictures(model) && !toLatents(model)),

  show: (root, context) => choice(root, context, (place, model) => showModel(place, model, context)),
};

function showModel(root, model, { t, predict }) {
  const { signature, input, output, shape } = ofPictures(model);
  const [height, width, channels] = shape;
  const isOfDigits = height === 28 && width === 28 && channels === 1;
  const trained = model.card?.config?.noise;
  const status = statusLine();
  const stopped = new AbortController();
  const size = height * width * channels;
  let clean = new Float32Array(size);
  let level = Math.min(trained ?? 0.5, 1);
  let seed = 1;
  let noise = normal(seed, size);

  const frames = Object.fromEntries(
    ["clean", "noisy", "denoised"].map((name) => {
      const canvas = h("canvas", { class: "picture", role: "img", "aria-label": t(name), width, height });
      const ratio = h("span", { class: "ratio" });
      const caption = h("figcaption", {}, h("span", {}, t(name)), ratio);
      return [name, { canvas, ratio, element: h("figure", { class: `frame ${name}` }, canvas, caption) }];
    }),
  );

  const ratio = (values) => {
    const error = values.reduce((sum, value, i) => sum + (value - clean[i]) ** 2, 0) / size;
    return t("psnr", { value: (-10 * Math.log10(Math.max(error, 1e-6))).toFixed(1) });
  };

  async function update() {
    const noisy = clean.map((value, i) => Math.min(1, Math.max(0, value + level * noise[i])));
    paint(frames.clean.canvas, clean, shape);
    paint(frames.noisy.canvas, noisy, shape);
    frames.noisy.ratio.textContent = ratio(noisy);
    await status.watch(async () => {
      const inputs = { [input]: [nested(noisy, shape)] };
      const found = await predict(model, { signature, inputs, replaces: "denoise" });
      if (!found || stopped.signal.aborted) return;
      const [made] = found[output];
      paint(frames.denoised.canvas, made, shape);
      frames.denoised.ratio.textContent = ratio(Float32Array.from(made.flat(2)));
    });
  }

  /** Takes a canvas of any size as the clean picture. */
  function take(canvas) {
    const [fitted, draw] = blank(width, height);
    draw.imageSmoothingQuality = "high";
    const scale = Math.max(width / canvas.width, height / canvas.height);
    const [w, y] = [canvas.width * scale, canvas.height * scale];
    draw.drawImage(canvas, (width - w) / 2, (height - y) / 2, w, y);
    clean = numbers(fitted, channels);
    update();
  }

  const levels = slider({
    label: t("noise"),
    min: 0,
    max: 1,
    step: 0.01,
    value: level,
    format: (value) => value.toFixed(2),
    oninput: (value) => {
      level = value;
      update();
    },
  });
  const again = h(
    "button",
    {
      type: "button",
      onclick: () => {
        noise = normal(++seed, size);
        update();
      },
    },
    t("again"),
  );

  function testDigits(place) {
    const thumbs = h("div", { class: "thumbs digits" });
    let first = 0;
    status.watch(async () => {
      const digits = await sheet("digits");
      const tile = (index) => {
        const [canvas, draw] = blank(28, 28);
        digits.draw(draw, index);
        return canvas;
      };
      const choose = (button, index) => {
        for (const other of thumbs.children) other.setAttribute("aria-pressed", other === button);
        take(tile(index));
      };
      const fill = () => {
        const buttons = Array.from({ length: SHOWN }, (_, i) => {
          const index = (first + i) % digits.count;
          const label = t("digit", { label: digits.facts.labels[index] });
          const button = h("button", { type: "button", "aria-label": label, "aria-pressed": "false" }, tile(index));
          button.addEventListener("click", () => choose(button, index));
          return button;
        });
        thumbs.replaceChildren(...buttons);
        choose(buttons[0], first % digits.count);
        first += SHOWN;
      };
      if (stopped.signal.aborted) return;
      place.append(thumbs, h("button", { type: "button", onclick: fill }, t("others")));
      fill();
    });
  }

  function own(place) {
    const pad = createPad({
      width: 280,
      height: 280,
      label: t("pad"),
      onchange: () => take(isOfDigits ? digit(pad.canvas) : pad.canvas),
    });
    take(isOfDigits ? digit(pad.canvas) : pad.canvas);
    place.append(pad.element);
  }

  function photo(place) {
    const chooser = h("input", { type: "file", accept: "image/*" });
    chooser.addEventListener("change", () =>
      status.watch(async () => {
        const address = URL.createObjectURL(chooser.files[0]);
        const image = await opened(address);
        const [canvas, draw] = blank(image.naturalWidth, image.naturalHeight);
        draw.drawImage(image, 0, 0);
        URL.revokeObjectURL(address);
        take(canvas);
      }),
    );
    place.append(h("label", { class: "row" }, t("choose"), chooser));
  }

  const sources = [
    [t("digits"), testDigits],
    [t("own"), own],
  ];
  if (!isOfDigits) sources.push([t("photo"), photo]);
  root.append(
    h("div", { class: "frames" }, frames.clean.element, frames.noisy.element, frames.denoised.element),
    h("div", { class: "row controls" }, levels.element, again),
    h("p", { class: "hint" }, ...(trained ? [t("trained", { noise: trained }), " "] : []), t("psnrHelp")),
    tabs(sources),
    status.element,
  );
  return () => stopped.abort();
}
