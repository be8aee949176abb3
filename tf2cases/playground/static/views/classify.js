import { h } from "../parts.js";
import { blank, file, opened } from "../pictures.js";
import { ofFiles } from "../signatures.js";
import { choice, statusLine } from "./shared.js";

const LONGEST = 1024; // pixels of a side; larger pictures are scaled down before they are sent
const TOP = 5;
const SAMPLES = ["teapot", "tree"];

export const view = {
  id: "classify",
  source: "tf2cases/inception_v3/network.py",
  train: "python -m bin.export_inception --weights=keras",
  texts: {
    en: {
      title: "Photo classifier",
      summary:
        "Inception-v3 names what is in a photo, or which of your own classes it belongs to if its last layer was retrained. " +
        "The photo goes to your own server only.",
      choose: "Choose a photo",
      photograph: "Take one",
      drop: "Drop a photo here, or paste it",
      sample: "No photo at hand? Try a drawing:",
      teapot: "Teapot",
      tree: "Tree",
      answers: "The five best answers",
      waiting: "Nothing to see yet.",
      working: "Looking …",
      yours: "Your photo",
      notPicture: "{name} is not a picture that this browser can show; choose a JPEG, PNG or WebP.",
      random: "This model was exported with random weights, so its answers mean nothing.",
      score: "{name}: {percent}",
    },
    zh: {
      title: "照片分类",
      summary: "Inception-v3 说出照片里有什么；如果重新训练过最后一层，就说出它属于你自己的哪一类。照片只会发送到你自己的服务器。",
      choose: "选择照片",
      photograph: "拍一张",
      drop: "把照片拖到这里，或者粘贴",
      sample: "手边没有照片？试试这两幅画：",
      teapot: "茶壶",
      tree: "树",
      answers: "最可能的五个答案",
      waiting: "还没有照片。",
      working: "正在看……",
      yours: "你的照片",
      notPicture: "浏览器无法显示 {name}；请选择 JPEG、PNG 或 WebP 图片。",
      random: "这个模型是用随机权重导出的，答案没有意义。",
      score: "{name}：{percent}",
    },
  },

  models: (models) => models.filter((model) => ofFiles(model, "classes", "scores")),

  show: (root, context) => choice(root, context, (place, model) => showModel(place, model, context)),
};

function showModel(root, model, { t, predict }) {
  const { signature, input } = ofFiles(model, "classes", "scores");
  const status = statusLine();
  const stopped = new AbortController();
  const picture = h("canvas", { class: "photo", role: "img", "aria-label": t("yours"), hidden: true });
  const answers = h("ol", { class: "answers", "aria-live": "polite" }, h("li", { class: "hint" }, t("waiting")));

  async function classify(address, name) {
    await status.watch(async () => {
      let image;
      try {
        image = await opened(address);
      } catch {
        throw new Error(t("notPicture", { name }));
      }
      const scale = Math.min(1, LONGEST / Math.max(image.naturalWidth, image.naturalHeight));
      const [canvas, draw] = blank(
        Math.max(1, Math.round(image.naturalWidth * scale)),
        Math.max(1, Math.round(image.naturalHeight * scale)),
      );
      draw.fillStyle = "#fff"; // under transparent pictures, as the models have it
      draw.fillRect(0, 0, canvas.width, canvas.height);
      draw.imageSmoothingQuality = "high";
      draw.drawImage(image, 0, 0, canvas.width, canvas.height);
      Object.assign(picture, { width: canvas.width, height: canvas.height, hidden: false });
      picture.getContext("2d").drawImage(canvas, 0, 0);
      answers.replaceChildren(h("li", { class: "hint" }, t("working")));
      const inputs = { [input]: [file(canvas, "image/jpeg", 0.9)] };
      const found = await predict(model, { signature, inputs, replaces: "classify" });
      if (!found || stopped.signal.aborted) return;
      const [classes, scores] = [found.classes[0], found.scores[0]];
      answers.replaceChildren(...classes.slice(0, TOP).map((label, i) => answer(label, scores[i])));
    });
  }

  function answer(label, score) {
    const percent = `${(100 * score).toFixed(1)} %`;
    const bar = h("div", { class: "meter", "aria-hidden": "true" }, h("div", { class: "meter-fill" }));
    bar.firstChild.style.width = `${100 * score}%`;
    return h("li", {}, h("span", { class: "name" }, label), h("span", { class: "percent" }, percent), bar);
  }

  async function take(files) {
    const photo = [...files].find(({ type }) => type.startsWith("image/")) ?? files[0];
    if (!photo) return;
    const address = URL.createObjectURL(photo);
    await classify(address, photo.name);
    URL.revokeObjectURL(address);
  }

  const chooser = (key, more) => {
    const given = h("input", { type: "file", accept: "image/*", class: "visually-hidden", ...more });
    given.addEventListener("change", () => {
      take(given.files);
      given.value = "";
    });
    return h("label", { class: "button" }, given, t(key));
  };
  const zone = h(
    "div",
    { class: "drop" },
    picture,
    h("p", { class: "drop-hint" }, t("drop")),
    h("div", { class: "row" }, chooser("choose", {}), chooser("photograph", { capture: "environment" })),
  );
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files);
  });
  const { signal } = stopped;
  document.addEventListener("paste", (event) => take(event.clipboardData.files), { signal });

  const samples = SAMPLES.map((name) => {
    const address = new URL(`../assets/${name}.jpg`, import.meta.url).href;
    const image = h("img", { src: address, alt: t(name), width: 72, height: 72 });
    return h("button", { type: "button", class: "sample", onclick: () => classify(address, name) }, image);
  });
  const weights = model.card?.data?.weights ?? model.card?.config?.weights ?? "";
  root.append(
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        { class: "stack close" },
        zone,
        h("div", { class: "row" }, h("span", { class: "hint" }, t("sample")), ...samples),
      ),
      h(
        "section",
        {},
        h("h2", {}, t("answers")),
        answers,
        `${weights}`.startsWith("random") ? h("p", { class: "hint" }, t("random")) : null,
        status.element,
      ),
    ),
  );
  return () => stopped.abort();
}
