// What a model can do, from its signatures alone: the card is not needed.

const isNumbers = (spec, rank) => spec?.dtype.startsWith("float") && spec.shape?.length === rank;
const isText = (spec, rank) => spec?.dtype === "string" && spec.shape?.length === rank;

/** [name, {inputs, outputs}, its only input, the input's spec] of each signature with one input; the default first. */
export function single(model) {
  return Object.entries(model.signatures)
    .map(([name, signature]) => [name, signature, ...(Object.entries(signature.inputs)[0] ?? [])])
    .filter(([, { inputs }]) => Object.keys(inputs).length === 1)
    .sort(([a], [b]) => (b === "serving_default") - (a === "serving_default") || (a < b ? -1 : 1));
}

/** {signature, input} of the first signature that takes picture files and returns outputs of these names; or null. */
export function ofFiles(model, ...outputs) {
  for (const [signature, { outputs: found }, input, spec] of single(model)) {
    if (input === "image_bytes" && isText(spec, 1) && outputs.every((name) => found[name])) {
      return { signature, input };
    }
  }
  return null;
}

/**
 * {signature, input, output, width, isFiles} of the signature that turns latents into pictures; or null. PNG files come
 * first if `prefersFiles`.
 */
export function ofLatents(model, prefersFiles) {
  const found = [];
  for (const [signature, { outputs }, input, spec] of single(model)) {
    if (input !== "z" || !isNumbers(spec, 2)) {
      continue;
    }
    for (const [output, made] of Object.entries(outputs)) {
      const isFiles = isText(made, 1) && output.endsWith("_bytes");
      if (isFiles || isNumbers(made, 4)) {
        found.push({ signature, input, output, width: spec.shape[1], isFiles, shape: made.shape.slice(1) });
      }
    }
  }
  return found.find(({ isFiles }) => isFiles === prefersFiles) ?? found[0] ?? null;
}

/** {signature, input, shape} of the signature that turns pictures into latents; or null. */
export function toLatents(model) {
  for (const [signature, { outputs }, input, spec] of single(model)) {
    if (isNumbers(spec, 4) && isNumbers(outputs.mean, 2)) {
      return { signature, input, shape: spec.shape.slice(1) };
    }
  }
  return null;
}

/** {signature, input, output, shape} of the signature that turns pictures into pictures of the same size; or null. */
export function ofPictures(model) {
  for (const [signature, { outputs }, input, spec] of single(model)) {
    if (!isNumbers(spec, 4) || spec.shape.slice(1).includes(null)) {
      continue;
    }
    const output = Object.keys(outputs).find((name) => `${outputs[name].shape}` === `${spec.shape}`);
    if (output) {
      return { signature, input, output, shape: spec.shape.slice(1) };
    }
  }
  return null;
}
