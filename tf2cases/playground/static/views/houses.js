// House prices: sliders on the fitted plane of a linear regression.

const houses = "assets/houses.json"; // [[square feet, bedrooms, price], ...]

/** Ranges of the sliders, by the name of the feature in the card. */
const ranges = {
  square_feet: { min: 800, max: 4500, step: 10, value: 2000 },
  bedrooms: { min: 1, max: 5, step: 1, value: 3 },
};

/** Whether a model predicts one number of rows of features. */
function predictsPrices({ signatures }) {
  const plain = signatures.serving_default;
  const shape = plain?.inputs.features?.shape;
  return Boolean(shape?.length === 2 && shape[1] > 0 && plain.outputs.price);
}

/** The sliders of a model: [{name, min, max, step, value}]. */
function features({ signatures, card }) {
  const count = signatures.serving_default.inputs.features.shape[1];
  const names = (card?.units?.features ?? "").split(",").map((name) => name.trim());
  const typical = card?.examples?.serving_default?.features ?? [];
  return Array.from({ length: count }, (_, i) => {
    const name = names[i] || null;
    // Without a card, two features are taken for those of the tutorial.
    const known = ranges[name] ?? (name === null && count === 2 ? Object.values(ranges)[i] : null);
    if (known) {
      return { name: name ?? Object.keys(ranges)[i], ...known };
    }
    const middle = typical[i] || 1;
    const [min, max] = middle > 0 ? [0, 2 * middle] : [2 * middle, 0];
    return { name: name ?? `x${i + 1}`, min, max, step: "any", value: middle };
  });
}

export const view = {
  id: "houses",
  source: "tf2cases/cases/linear_regression.py",
  train: "python -m bin.train_linear_regression",
  texts: {
    en: {
      title: "House prices",
      summary:
        "A linear regression fits a plane through 47 houses that were sold in Portland, Oregon. Move the sliders, and the house moves over the plane.",
      square_feet: "Living area",
      bedrooms: "Bedrooms",
      square_feet_value: "{count} sq ft",
      price: "Predicted price",
      plane: "The fitted plane, with the house on it at {price}",
      dots: "Each dot is one of the 47 houses; the thin line shows how far it is from the plane.",
    },
    zh: {
      title: "房价",
      summary: "线性回归用一个平面拟合美国俄勒冈州波特兰市售出的 47 套房屋。拖动滑块，房子就在平面上移动。",
      square_feet: "居住面积",
      bedrooms: "卧室数",
      square_feet_value: "{count} 平方英尺",
      price: "预测价格",
      plane: "拟合平面，房子位于 {price}",
      dots: "每个圆点是 47 套房屋中的一套，细线表示它到平面的距离。",
    },
  },

  models: (models) => models.filter(predictsPrices),

  show(root, { h, t, models, predict, slider, choice, css, onTheme, language }) {
    let left = false;
    let model = models[0];
    let plane = null; // prices at the corners of the first two sliders' ranges, [[low low, low high], [high low, high high]]
    let price = null;
    let sold = [];
    let inputs = [];
    let specs = [];

    const picker = choice({
      label: t("model"),
      options: models.map(({ name }) => ({ value: name, label: name })),
      value: model.name,
      onChange: (name) => start(models.find((one) => one.name === name)),
    });
    const shownPrice = h("p.price", { role: "status", "aria-live": "polite" });
    const sliders = h("div.sliders");
    const canvas = h("canvas.plane", { role: "img" });
    const note = h("p.hint", {}, t("dots"));
    root.append(
      h("div.card", {}, picker, h("h2.small", {}, t("price")), shownPrice, sliders),
      h("figure.card", {}, canvas, note),
    );

    const money = new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en-US", {
      style: "currency",
      currency: "USD",
      currencyDisplay: "narrowSymbol",
      maximumFractionDigits: 0,
    });
    const plain = new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en-US", { maximumSignificantDigits: 6 });
    const isMoney = () => !model.card?.units?.price || /price|dollar/i.test(model.card.units.price);
    const priceText = (value) => (isMoney() ? money : plain).format(value);

    /** The rows of two features, with the others where their sliders are. */
    const row = (first, second) => inputs.map((input, i) => [first, second][i] ?? input.value);

    async function start(next) {
      model = next;
      specs = features(model);
      plane = null;
      inputs = specs.map(({ name, ...spec }) =>
        slider({
          label: t(name),
          ...spec,
          format: (value) =>
            name === "square_feet" ? t("square_feet_value", { count: plain.format(value) }) : plain.format(value),
          onInput: () => ask(),
        }),
      );
      sliders.replaceChildren(...inputs.map(({ element }) => element));
      const isTutorial = specs.length === 2 && specs[0].name === "square_feet" && specs[1].name === "bedrooms";
      note.hidden = !isTutorial;
      if (isTutorial && !sold.length) {
        sold = await (await fetch(houses)).json();
      }
      await ask();
    }

    async function ask() {
      const [a, b] = specs;
      const corners = [a.min, a.max].flatMap((x) => (b ? [b.min, b.max].map((y) => [x, y]) : [[x, undefined]]));
      const rows = () => [inputs.map((input) => input.value), ...corners.map(([x, y]) => row(x, y))];
      const answer = await predict(model, { inputs: () => ({ features: rows() }), replaces: "price" });
      if (!answer || left) {
        return;
      }
      [price, ...plane] = answer.price;
      shownPrice.textContent = priceText(price);
      canvas.setAttribute("aria-label", t("plane", { price: priceText(price) }));
      draw();
    }

    /** Draws the plane as seen from above at an angle, with the houses, and the one that the sliders describe. */
    function draw() {
      const wide = canvas.clientWidth;
      const high = canvas.clientHeight;
      canvas.width = wide * devicePixelRatio;
      canvas.height = high * devicePixelRatio;
      if (!plane || !wide) {
        return;
      }
      const context = canvas.getContext("2d");
      context.scale(devicePixelRatio, devicePixelRatio);
      const [a, b] = specs;
      const values = [...plane, price, ...sold.map((house) => house[2]), 0];
      const least = Math.min(...values);
      const most = Math.max(...values);
      const part = (spec, value) => (value - spec.min) / (spec.max - spec.min);
      const flat = !b;
      /** From parts of the ranges, and a price, to pixels. */
      const at = (x, y, z) => {
        const level = (z - least) / (most - least || 1);
        return flat
          ? [wide * (0.08 + 0.84 * x), high * (0.92 - 0.8 * level)]
          : [wide * (0.36 + 0.58 * x - 0.3 * y), high * (0.9 - 0.05 * x - 0.24 * y - 0.5 * level)];
      };
      const line = (points, colour, width = 1) => {
        context.strokeStyle = colour;
        context.lineWidth = width;
        context.beginPath();
        points.forEach((point, i) => (i ? context.lineTo(...point) : context.moveTo(...point)));
        context.stroke();
      };
      const dot = (point, radius, colour) => {
        context.fillStyle = colour;
        context.beginPath();
        context.arc(...point, radius, 0, 2 * Math.PI);
        context.fill();
      };
      const [ink, soft, rule, accent] = ["--ink", "--soft", "--line", "--accent"].map(css);
      /** The price on the plane, between its corners. */
      const level = (x, y) =>
        flat
          ? plane[0] + (plane[1] - plane[0]) * x
          : (1 - x) * ((1 - y) * plane[0] + y * plane[1]) + x * ((1 - y) * plane[2] + y * plane[3]);
      const steps = [0, 0.25, 0.5, 0.75, 1];
      if (flat) {
        line([at(0, 0, least), at(1, 0, least)], rule);
        line([at(0, 0, plane[0]), at(1, 0, plane[1])], accent, 2);
      } else {
        line(
          [
            [0, 0],
            [1, 0],
            [1, 1],
            [0, 1],
            [0, 0],
          ].map(([x, y]) => at(x, y, least)),
          rule,
        );
        context.fillStyle = css("--accent-soft");
        context.globalAlpha = 0.75;
        context.beginPath();
        [
          [0, 0],
          [1, 0],
          [1, 1],
          [0, 1],
        ].forEach(([x, y], i) => (i ? context.lineTo : context.moveTo).apply(context, at(x, y, level(x, y))));
        context.fill();
        context.globalAlpha = 1;
        for (const s of steps) {
          line([at(s, 0, level(s, 0)), at(s, 1, level(s, 1))], accent, s % 1 ? 0.5 : 1);
          line([at(0, s, level(0, s)), at(1, s, level(1, s))], accent, s % 1 ? 0.5 : 1);
        }
      }
      for (const [area, rooms, worth] of sold) {
        const [x, y] = [part(a, area), part(b, rooms)];
        line([at(x, y, level(x, y)), at(x, y, worth)], soft, 0.5);
        dot(at(x, y, worth), 2.5, worth >= level(x, y) ? ink : soft);
      }
      const x = part(a, inputs[0].value);
      const y = flat ? 0 : part(b, inputs[1].value);
      const here = at(x, y, price);
      context.setLineDash([3, 4]);
      line([at(x, y, least), here], accent, 1.5);
      context.setLineDash([]);
      dot(at(x, y, least), 3, accent);
      dot(here, 9, css("--paper"));
      dot(here, 7, accent);
      context.fillStyle = soft;
      context.font = "13px system-ui, sans-serif";
      const label = (text, [from, top], align) => {
        context.textAlign = align;
        const room = align === "right" ? context.measureText(text).width : 0; // it may not be cut
        context.fillText(text, Math.max(from, room), Math.min(top, high - 4));
      };
      const [middleX, middleY] = at(0.6, 0, least);
      label(`${t(a.name)} →`, [middleX, middleY + 24], "center");
      if (!flat) {
        const [sideX, sideY] = at(0, 0.45, least);
        label(`↖ ${t(b.name)}`, [sideX - 12, sideY + 16], "right");
      }
    }

    const resized = new ResizeObserver(draw);
    resized.observe(canvas);
    const endTheme = onTheme(draw);
    start(model);
    return () => {
      left = true;
      resized.disconnect();
      endTheme();
    };
  },
};
