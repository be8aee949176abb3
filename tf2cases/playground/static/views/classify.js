import { bars, dropZone, h, newId } from "../parts.js";
import { blank, file, opened } from "../pictures.js";
import { ofFiles } from "../signatures.js";
import { copy, eachModel } from "./shared.js";

const LONGEST = 1024; // pixels of a side; larger pictures are scaled down before they are sent
const TOP = 5;
const SAMPLES = ["teapot", "tree"];

export const view = {
  id: "classify",
  source: "tf2cases/inception_v3/network.py",
  train: "python -m bin.export_inception --weights=keras",
  texts: {
    en: {
      title: "Photos",
      summary:
        "Inception-v3 names what is in a photo, or which of your own classes it belongs to if its last layer was retrained. " +
        "The photo goes to your own server only.",
      choose: "Choose a photo",
      photograph: "Take a photo",
      drop: "Drop a photo here, or paste it",
      sample: "No photo at hand? Try a drawing:",
      teapot: "Teapot",
      tree: "Tree",
      answers: "Best answers",
      waiting: "Nothing to see yet.",
      working: "Looking …",
      yours: "Your photo",
      notPicture: "{name} is not a picture that this browser can show; choose a JPEG, PNG or WebP.",
      random: "This model was exported with random weights, so its answers mean nothing.",
    },
    zh: {
      title: "照片",
      summary:
        "Inception-v3 说出照片里有什么；如果重新训练过最后一层，就说出它属于你自己的哪一类。照片只会发送到你自己的服务器。",
      choose: "选择照片",
      photograph: "拍一张",
      drop: "把照片拖到这里，或者粘贴",
      sample: "手边没有照片？试试这两幅画：",
      teapot: "茶壶",
      tree: "树",
      answers: "最可能的答案",
      waiting: "还没有照片。",
      working: "正在看……",
      yours: "你的照片",
      notPicture: "浏览器无法显示 {name}；请选择 JPEG、PNG 或 WebP 图片。",
      random: "这个模型是用随机权重导出的，答案没有意义。",
    },
  },

  models: (models) => models.filter((model) => ofFiles(model, "classes", "scores")),

  show(root, context) {
    const last = { photo: null }; // another model is asked for the same photo
    return eachModel(root, context, (place, model) => showModel(place, model, context, last));
  },
};

function showModel(root, model, { t, predict, showError }, last) {
  const { signature, input } = ofFiles(model, "classes", "scores");
  let isGone = false;
  let taken = 0; // photos so far
  const picture = h("canvas.photo", { role: "img", "aria-label": t("yours"), hidden: true });
  const answers = bars({ label: t("answers") });
  const state = h("p.hint", { role: "status" }, t("waiting"));

  async function classify(address, name) {
    let image;
    try {
      image = await opened(address);
    } catch {
      showError(new Error(t("notPicture", { name })));
      return;
    }
    await ask(scaled(image));
  }

  async function ask(canvas) {
    const mine = ++taken;
    last.photo = canvas;
    copy(canvas, picture);
    picture.hidden = false;
    answers.update([]);
    state.textContent = t("working");
    const inputs = { [input]: [file(canvas, "image/jpeg", 0.9)] };
    const found = await predict(model, { signature, inputs, replaces: "photo" });
    if (isGone || mine !== taken) {
      return;
    }
    state.textContent = "";
    if (found) {
      const [classes, scores] = [found.classes[0], found.scores[0]];
      answers.update(classes.slice(0, TOP).map((label, i) => ({ label, value: scores[i] })));
    }
  }

  async function take(photo) {
    const address = URL.createObjectURL(photo);
    await classify(address, photo.name);
    URL.revokeObjectURL(address);
  }

  const zone = dropZone({ label: t("choose"), hint: t("drop"), onFile: take });
  const camera = h("input", { type: "file", accept: "image/*", capture: "environment", id: newId("camera") });
  camera.addEventListener("change", () => {
    [...camera.files].forEach(take);
    camera.value = "";
  });
  zone.element.prepend(picture);
  zone.element.querySelector("input").after(h("label.camera", { htmlFor: camera.id }, t("photograph")), camera);
  const samples = SAMPLES.map((name) => {
    const address = new URL(`../assets/${name}.jpg`, import.meta.url).href;
    const image = h("img", { src: address, alt: t(name), width: 72, height: 72 });
    return h("button.tile", { type: "button", onclick: () => classify(address, name) }, image);
  });
  root.append(
    h(
      "div.split",
      {},
      h("div.stack.close", {}, zone.element, h("div.row.samples", {}, h("span.hint", {}, t("sample")), samples)),
      h(
        "section.card.stack.close",
        {},
        h("h2", {}, t("answers")),
        state,
        answers.element,
        model.card?.random_weights && h("p.hint", {}, t("random")),
      ),
    ),
  );
  if (last.photo) {
    ask(last.photo);
  }
  return () => {
    isGone = true;
    zone.close();
  };
}

/** A canvas with an image on white, at most LONGEST pixels wide and high. */
function scaled(image) {
  const scale = Math.min(1, LONGEST / Math.max(image.naturalWidth, image.naturalHeight));
  const size = [image.naturalWidth, image.naturalHeight].map((side) => Math.max(1, Math.round(side * scale)));
  const [canvas, draw] = blank(...size, "#fff"); // white under transparent pictures, as the models have it
  draw.imageSmoothingQuality = "high";
  draw.drawImage(image, 0, 0, ...size);
  return canvas;
}
