import { Pad } from "../pad.js";
import { button, css, h, onTheme, slider } from "../parts.js";
import { between, blank, digit, nested, numbers, pictureOf, sheet } from "../pictures.js";
import { ofLatents, toLatents } from "../signatures.js";
import { copy, eachModel, player } from "./shared.js";

const STEPS = 40; // of a walk
const STRIP = 9; // pictures of it that are shown at once
const MOST_SLIDERS = 30;

export const view = {
  id: "vae",
  source: "tf2cases/cases/vae.py",
  train: "python -m bin.train_vae --dataset=mnist_sample",
  texts: {
    en: {
      title: "Digit map",
      summary:
        "A variational autoencoder (VAE) squeezes each digit into a point, and draws a digit from any point. " +
        "Drag the ring: between two places where real digits lie, it draws digits that nobody wrote.",
      plane: "The plane of digits",
      planeHelp: "Drag the ring, or use the arrow keys; with Shift, it takes larger steps.",
      planeRole: "plane",
      decoded: "What it draws here",
      position: "Position {x}, {y}",
      tiles: "Each small digit lies where the network puts it; none of them was used for training.",
      more: "The model has {count} latent numbers. The plane shows the first two, and the sliders set the others.",
      cut: "The model has {count} latent numbers. The plane shows the first two, the sliders set {shown} more, and the others stay 0.",
      one: "The model has a single latent number, so only left and right matter.",
      latent: "Number {index}",
      walk: "Walk",
      walkHelp: "From A to B in a straight line. Drag A and B, or set them where the ring is.",
      setStart: "A is here",
      setEnd: "B is here",
      play: "Walk",
      stop: "Stop",
      way: "On the way",
      draw: "Where does yours land?",
      drawHelp: "Draw a digit. The ring moves to its point, and the picture shows what the network made of it.",
      strip: "The pictures from A to B",
      pad: "Pad for a digit",
      padHint: "Draw a digit",
    },
    zh: {
      title: "数字地图",
      summary:
        "变分自编码器（VAE）把每个数字压缩成一个点，也能从任意一点画出数字。拖动圆环：在真实数字之间，它会画出没有人写过的数字。",
      plane: "数字平面",
      planeHelp: "拖动圆环，或使用方向键；按住 Shift 步子更大。",
      planeRole: "平面",
      decoded: "它在这里画出的数字",
      position: "位置 {x}, {y}",
      tiles: "每个小数字都在网络给它的位置上；训练时没有用过它们。",
      more: "这个模型有 {count} 个隐变量。平面显示前两个，其余的用滑块调节。",
      cut: "这个模型有 {count} 个隐变量。平面显示前两个，滑块调节接下来的 {shown} 个，其余保持为 0。",
      one: "这个模型只有一个隐变量，所以只有左右方向起作用。",
      latent: "第 {index} 个",
      walk: "漫步",
      walkHelp: "沿直线从 A 走到 B。可以拖动 A 和 B，也可以把它们放到圆环的位置。",
      setStart: "A 放在这里",
      setEnd: "B 放在这里",
      play: "出发",
      stop: "停止",
      way: "进度",
      draw: "你写的数字会落在哪里？",
      drawHelp: "写一个数字，圆环会移到它的位置，图片就是网络对它的理解。",
      strip: "从 A 到 B 的图片",
      pad: "手写区",
      padHint: "写一个数字",
    },
  },

  models: (models) => models.filter((model) => toLatents(model) && ofLatents(model, false)),

  show(root, context) {
    return eachModel(root, context, (place, model) => showModel(place, model, context));
  },
};

function showModel(root, model, { t, predict }) {
  const encoder = toLatents(model);
  const decoder = ofLatents(model, false);
  const { width } = decoder;
  const shape = encoder.shape;
  let isGone = false;

  let point = new Array(width).fill(0);
  let ends = { A: point.with(0, -1.5), B: point.with(0, 1.5) }; // of the walk
  let spread = null; // of the drawn digit
  let reach = 3.5; // the plane shows -reach .. reach
  let points = [];
  let tiles = []; // the test digits in their colours
  let background = null;
  let walking = 0; // the frame request of a walk
  let frames = null; // the pictures of the walk from A to B
  let framesShown = 0;
  let paintTiles = () => {};

  const canvas = h("canvas.plane-canvas", { "aria-hidden": "true" });
  const plane = h(
    "div.latent-plane",
    {
      tabIndex: 0,
      role: "application",
      "aria-roledescription": t("planeRole"),
      "aria-label": `${t("plane")}. ${t("planeHelp")}`,
    },
    canvas,
  );
  const picture = h("canvas.model-picture", { role: "img", "aria-label": t("decoded") });
  const echo = h("canvas.model-picture.echo", { "aria-hidden": "true", hidden: true }); // beside the pad
  const coordinates = h("p.coordinates", { role: "status" });

  // Drawing the plane.

  const across = (value) => ((value / reach + 1) / 2) * canvas.width;
  const down = (value) => ((1 - value / reach) / 2) * canvas.height;
  const on = (z) => [across(z[0]), down(z[1] ?? 0)];

  function drawBackground() {
    const side = Math.round(plane.clientWidth * devicePixelRatio);
    if (!side) {
      return;
    }
    Object.assign(canvas, { width: side, height: side });
    background = document.createElement("canvas");
    Object.assign(background, { width: side, height: side });
    const draw = background.getContext("2d");
    draw.strokeStyle = css("--line");
    draw.lineWidth = devicePixelRatio;
    draw.beginPath();
    draw.moveTo(0, side / 2);
    draw.lineTo(side, side / 2);
    draw.moveTo(side / 2, 0);
    draw.lineTo(side / 2, side);
    draw.stroke();
    const size = Math.max(15 * devicePixelRatio, side / 24);
    points.forEach((z, i) => {
      const [x, y] = on(z);
      draw.drawImage(tiles[i], x - size / 2, y - size / 2, size, size);
    });
  }

  function drawPlane() {
    if (!background) {
      return;
    }
    const draw = canvas.getContext("2d");
    const unit = devicePixelRatio;
    draw.clearRect(0, 0, canvas.width, canvas.height);
    draw.drawImage(background, 0, 0);
    const accent = css("--accent");
    draw.strokeStyle = draw.fillStyle = accent;
    draw.lineWidth = 2 * unit;
    draw.setLineDash([5 * unit, 5 * unit]);
    draw.beginPath();
    draw.moveTo(...on(ends.A));
    draw.lineTo(...on(ends.B));
    draw.stroke();
    draw.setLineDash([]);
    for (const name of ["A", "B"]) {
      const [x, y] = on(ends[name]);
      draw.fillStyle = accent;
      draw.beginPath();
      draw.arc(x, y, 12 * unit, 0, 2 * Math.PI);
      draw.fill();
      draw.fillStyle = css("--on-accent");
      draw.font = `600 ${13 * unit}px system-ui, sans-serif`;
      draw.textAlign = "center";
      draw.textBaseline = "middle";
      draw.fillText(name, x, y + unit);
    }
    const [x, y] = on(point);
    if (spread) {
      draw.globalAlpha = 0.25;
      draw.fillStyle = accent;
      draw.beginPath();
      const [wide, high] = spread.map((value) => (value / reach / 2) * canvas.width);
      draw.ellipse(x, y, 2 * wide, 2 * (high ?? wide), 0, 0, 2 * Math.PI);
      draw.fill();
      draw.globalAlpha = 1;
    }
    for (const [radius, line, ink] of [
      [15, 7, css("--surface")],
      [15, 3.5, accent],
    ]) {
      draw.strokeStyle = ink;
      draw.lineWidth = line * unit;
      draw.beginPath();
      draw.arc(x, y, radius * unit, 0, 2 * Math.PI);
      draw.stroke();
    }
  }

  // Asking the model.

  async function decode(latents, replaces) {
    const answer = await predict(model, {
      signature: decoder.signature,
      inputs: { [decoder.input]: latents },
      replaces,
    });
    return answer && Promise.all(answer[decoder.output].map((value) => pictureOf(value)));
  }

  function say() {
    const [x, y] = [point[0], point[1] ?? 0];
    coordinates.textContent = t("position", { x: x.toFixed(2), y: y.toFixed(2) });
    rests.forEach((rest, i) => (rest.value = point[i + 2]));
  }

  async function update() {
    say();
    drawPlane();
    const before = framesShown;
    const made = await decode([point], "point");
    if (made && !isGone && before === framesShown) {
      copy(made[0], picture);
      copy(made[0], echo);
    }
  }

  function moveTo(z, around = null) {
    point = z;
    spread = around;
    update();
  }

  // The plane's pointer and keys.

  const limited = (value) => Math.max(-reach, Math.min(reach, value));
  const moved = (z, x, y) => [limited(x), limited(y), ...z.slice(2)].slice(0, width);
  let held = null;

  function placeOf(event) {
    const box = canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 2 - 1;
    const y = 1 - ((event.clientY - box.top) / box.height) * 2;
    return [x * reach, y * reach];
  }

  function near(name, [x, y]) {
    const z = name === "point" ? point : ends[name];
    return Math.hypot(z[0] - x, (z[1] ?? 0) - y) < (18 / plane.clientWidth) * 2 * reach;
  }

  function drag(event) {
    const [x, y] = placeOf(event);
    if (held === "point") {
      moveTo(moved(point, x, y));
    } else {
      setEnd(held, moved(ends[held], x, y));
    }
  }

  plane.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) {
      return;
    }
    const place = placeOf(event);
    held = ["point", "A", "B"].find((name) => near(name, place)) ?? "point";
    plane.setPointerCapture(event.pointerId);
    stopWalk();
    drag(event);
  });
  plane.addEventListener("pointermove", (event) => held && drag(event));
  for (const name of ["pointerup", "pointercancel"]) {
    plane.addEventListener(name, () => (held = null));
  }
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  plane.addEventListener("keydown", (event) => {
    const way = ARROWS[event.key];
    if (!way) {
      return;
    }
    event.preventDefault();
    stopWalk();
    const step = (event.shiftKey ? 0.1 : 0.02) * reach;
    moveTo(moved(point, point[0] + step * way[0], (point[1] ?? 0) + step * way[1]));
  });

  // The walk.

  const strip = h("div.walk-strip", { role: "img", "aria-label": t("strip") });
  const play = player({ play: t("play"), stop: t("stop") }, () => (walking ? stopWalk() : walk()));
  const way = slider({
    label: t("way"),
    min: 0,
    max: STEPS,
    step: 1,
    value: 0,
    format: (value) => `${Math.round((100 * value) / STEPS)}%`,
    onInput: (value) => {
      stopWalk();
      goTo(value);
    },
  });

  function setEnd(name, z) {
    ends = { ...ends, [name]: [...z] };
    drawPlane();
    drawStrip();
  }

  async function drawStrip() {
    const { A, B } = ends;
    frames = null;
    const rows = Array.from({ length: STEPS + 1 }, (_, i) => between(A, B, i / STEPS));
    const made = await decode(rows, "walk");
    if (made && !isGone && ends.A === A && ends.B === B) {
      frames = made;
      strip.replaceChildren(...Array.from({ length: STRIP }, (_, i) => made[Math.round((i * STEPS) / (STRIP - 1))]));
    }
  }

  function goTo(step) {
    way.value = step;
    point = between(ends.A, ends.B, step / STEPS);
    spread = null;
    if (frames) {
      framesShown++;
      copy(frames[step], picture);
      say();
      drawPlane();
    } else {
      update();
    }
  }

  function walk() {
    play.show(true);
    const began = performance.now();
    const next = (now) => {
      const part = Math.min(1, Math.max(0, now - began) / 3000);
      goTo(Math.round(STEPS * (part < 0.5 ? 2 * part ** 2 : 1 - 2 * (1 - part) ** 2)));
      if (part < 1) {
        walking = requestAnimationFrame(next);
      } else {
        stopWalk();
      }
    };
    walking = requestAnimationFrame(next);
  }

  function stopWalk() {
    cancelAnimationFrame(walking);
    walking = 0;
    play.show(false);
  }

  // The other latent numbers.

  const rests = Array.from({ length: Math.max(0, Math.min(width - 2, MOST_SLIDERS)) }, (_, i) =>
    slider({
      label: t("latent", { index: i + 3 }),
      min: -3,
      max: 3,
      step: 0.05,
      value: 0,
      format: (value) => value.toFixed(2),
      onInput: (value) => {
        stopWalk();
        moveTo(point.with(i + 2, value));
      },
    }),
  );

  // A drawing of one's own.

  const pad = new Pad({
    width: 280,
    height: 280,
    pen: 20,
    label: t("pad"),
    hint: t("padHint"),
    t,
    onChange: async () => {
      stopWalk();
      echo.hidden = pad.isEmpty;
      if (pad.isEmpty) {
        return;
      }
      const found = await encode([digit(pad.context().canvas)], "drawing");
      if (found && !isGone) {
        moveTo(
          found.mean[0],
          found.log_variance?.[0].slice(0, 2).map((value) => Math.exp(value / 2)),
        );
      }
    },
  });

  pad.tools.prepend(echo);

  function encode(canvases, replaces) {
    const [height, wide, channels] = shape;
    const all = canvases.map((from) => {
      const [to, draw] = blank(wide, height);
      draw.drawImage(from, 0, 0, wide, height);
      return nested(numbers(to, channels), [height, wide, channels]);
    });
    return predict(model, { signature: encoder.signature, inputs: { [encoder.input]: all }, replaces });
  }

  async function placeDigits() {
    const digits = await sheet("digits");
    const { labels } = digits.facts;
    if (isGone) {
      return;
    }
    const canvases = Array.from({ length: digits.count }, (_, i) => digits.tile(i));
    const found = await encode(canvases);
    if (isGone) {
      return;
    }
    if (!found) {
      drawStrip();
      return;
    }
    points = found.mean;
    const far = points.flatMap((z) => z.slice(0, 2).map(Math.abs)).sort((a, b) => a - b);
    reach = Math.max(1.5, far[Math.floor(far.length * 0.99)] * 1.15);
    paintTiles = () => {
      tiles = canvases.map((tile, i) => inked(tile, css(`--digit-${labels[i]}`)));
      drawBackground();
      drawPlane();
    };
    paintTiles();
    moveTo(middle(points, labels, "7"));
    ends = { A: middle(points, labels, "1"), B: middle(points, labels, "0") };
    setEnd("A", ends.A);
  }

  const notes = [];
  if (width > 2 + MOST_SLIDERS) {
    notes.push(t("cut", { count: width, shown: MOST_SLIDERS }));
  } else if (width > 2) {
    notes.push(t("more", { count: width }));
  } else if (width === 1) {
    notes.push(t("one"));
  }
  const setter = (key, name) => button(t(key), () => setEnd(name, point));
  root.append(
    h(
      "div.split.plane-split",
      {},
      h(
        "div",
        {},
        plane,
        h("p.hint.keys", {}, t("planeHelp")),
        [t("tiles"), ...notes].map((note) => h("p.hint", {}, note)),
      ),
      h(
        "div.card.stack",
        {},
        h("section.decoded", {}, h("h2", {}, t("decoded")), picture, coordinates),
        rests.length > 0 && h("section.many-sliders", {}, ...rests.map(({ element }) => element)),
        h(
          "section",
          {},
          h("h2", {}, t("walk")),
          h("p.hint", {}, t("walkHelp")),
          strip,
          way.element,
          h("div.row", {}, play.element, setter("setStart", "A"), setter("setEnd", "B")),
        ),
        h("section", {}, h("h2", {}, t("draw")), h("p.hint", {}, t("drawHelp")), h("div.small-pad", {}, pad.element)),
      ),
    ),
  );
  const resized = new ResizeObserver(() => {
    drawBackground();
    drawPlane();
  });
  resized.observe(plane);
  const endTheme = onTheme(() => paintTiles());
  update();
  placeDigits();
  return () => {
    isGone = true;
    resized.disconnect();
    endTheme();
    stopWalk();
    pad.close();
  };
}

/** The mean of the points with a label. */
function middle(points, labels, label) {
  const mine = points.filter((_, i) => labels[i] === label);
  return mine[0].map((_, k) => mine.reduce((sum, z) => sum + z[k], 0) / mine.length);
}

/** A tile's ink in a colour on transparent ground. */
function inked(tile, color) {
  const [canvas, draw] = blank(tile.width, tile.height, color);
  const image = draw.getImageData(0, 0, tile.width, tile.height);
  const light = numbers(tile, 1);
  light.forEach((value, i) => (image.data[4 * i + 3] = 255 * value));
  draw.putImageData(image, 0, 0);
  return canvas;
}
