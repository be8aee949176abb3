// Pictures as the models take and return them: sheets of tiles, numbers per pixel, PNG files, and random numbers.

const sheets = new Map();

/**
 * The pictures of assets/NAME.png, and what assets/NAME.json says about them.
 * @returns {Promise<{facts: object, count: number, tile(index): HTMLCanvasElement}>}
 */
export function sheet(name) {
  if (!sheets.has(name)) {
    sheets.set(name, load(name));
  }
  return sheets.get(name);
}

async function load(name) {
  const place = new URL(`./assets/${name}`, import.meta.url).href;
  const [answer, image] = await Promise.all([fetch(`${place}.json`), opened(`${place}.png`)]);
  const facts = await answer.json();
  const [width, height] = facts.tile;
  const count = facts.columns * Math.round(image.naturalHeight / height);
  const tile = (index) => {
    const [canvas, context] = blank(width, height);
    const left = (index % facts.columns) * width;
    const top = Math.floor(index / facts.columns) * height;
    context.drawImage(image, left, top, width, height, 0, 0, width, height);
    return canvas;
  };
  return { facts, count, tile };
}

/** The image element of an address, once it is decoded. */
export async function opened(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

/** A canvas of this size and colour that is on no page, and its context, which draws in this colour. */
export function blank(width, height, color = "#000") {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = color;
  context.fillRect(0, 0, width, height);
  return [canvas, context];
}

/** The numbers of a canvas in [0, 1], row by row: grey with 1 channel, else red, green and blue. */
export function numbers(canvas, channels) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const values = new Float32Array((data.length / 4) * channels);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    if (channels === 1) {
      values[to++] = (0.299 * data[from] + 0.587 * data[from + 1] + 0.114 * data[from + 2]) / 255;
    } else {
      for (let channel = 0; channel < 3; channel++) {
        values[to++] = data[from + channel] / 255;
      }
    }
  }
  return values;
}

/** Numbers as the nested arrays of a request, rounded to 3 places. */
export function nested(values, shape) {
  if (!shape.length) {
    return Math.round(values[0] * 1000) / 1000;
  }
  const [count, ...rest] = shape;
  const size = values.length / count;
  return Array.from({ length: count }, (_, i) => nested(values.subarray(i * size, (i + 1) * size), rest));
}

/** Paints numbers in [0, 1] (an array of any depth, [height][width][channels]) on a canvas, which gets their size. */
export function paint(canvas, values, [height, width, channels]) {
  const flat = values.flat ? values.flat(2) : values;
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let color = 0; color < 3; color++) {
      image.data[4 * pixel + color] = 255 * flat[pixel * channels + (channels === 1 ? 0 : color)];
    }
    image.data[4 * pixel + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** The PNG file of a canvas, as TF Serving's REST API takes bytes. */
export const file = (canvas, type = "image/png", quality) => ({ b64: canvas.toDataURL(type, quality).split(",")[1] });

/**
 * A drawing, dark on light, as the models know digits: light on dark, the longer side of the ink 20 pixels, its centre
 * of mass in the middle of 28 x 28. A canvas without ink gives a black picture.
 */
export function digit(drawing) {
  const [canvas, context] = blank(28, 28);
  const box = inkBox(drawing);
  if (!box) {
    return canvas;
  }
  const scale = 20 / Math.max(box.width, box.height);
  const [width, height] = [box.width * scale, box.height * scale];
  const [ink, paper] = blank(28, 28, "#fff");
  paper.imageSmoothingQuality = "high";
  // In halves, since a browser that shrinks a picture at once skips pixels.
  let [source, left, top, w, h] = [drawing, box.left, box.top, box.width, box.height];
  while (Math.max(w, h) > 80) {
    const [half, draw] = blank(Math.ceil(w / 2), Math.ceil(h / 2), "#fff");
    draw.drawImage(source, left, top, w, h, 0, 0, w / 2, h / 2);
    [source, left, top, w, h] = [half, 0, 0, w / 2, h / 2];
  }
  paper.drawImage(source, left, top, w, h, (28 - width) / 2, (28 - height) / 2, width, height);
  paper.globalCompositeOperation = "difference"; // from white: light becomes dark
  paper.fillRect(0, 0, 28, 28);
  const values = numbers(ink, 1);
  let [mass, x, y] = [0, 0, 0];
  values.forEach((value, i) => {
    mass += value;
    x += value * (i % 28);
    y += value * Math.floor(i / 28);
  });
  context.drawImage(ink, Math.round(13.5 - x / mass), Math.round(13.5 - y / mass));
  return canvas;
}

function inkBox(canvas) {
  const { width, height } = canvas;
  const values = numbers(canvas, 1);
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let i = 0; i < values.length; i++) {
    if (values[i] > 0.7) {
      continue;
    }
    const [x, y] = [i % width, Math.floor(i / width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Draws of a seed, each in [0, 1): the same in every browser (mulberry32). */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** `count` draws from N(0, 1) of a seed (Box and Muller). */
export function normal(seed, count) {
  const draw = uniform(seed);
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw()),
  );
}

/** The point at `part` of the way from one array of numbers to another. */
export const between = (from, to, part) => from.map((value, i) => value + part * (to[i] - value));

/** A canvas with a picture that a model returned: a PNG file, {"b64": ...}, or [height][width][channels] in [0, 1]. */
export async function pictureOf(value) {
  const canvas = document.createElement("canvas");
  if (!value.b64) {
    paint(canvas, value, [value.length, value[0].length, value[0][0].length]);
    return canvas;
  }
  const image = await opened(`data:image/png;base64,${value.b64}`);
  Object.assign(canvas, { width: image.naturalWidth, height: image.naturalHeight });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas;
}
