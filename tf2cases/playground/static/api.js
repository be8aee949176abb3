// TF Serving's REST API, and the one file beside it that lists the models.

/** An error that the page shows as one sentence. `key` is that of a text; without one, the message is the server's. */
export class ApiError extends Error {
  constructor(message, key = null, values = {}) {
    super(message);
    this.key = key;
    this.values = values;
  }
}

/** The models: [{name, version, signatures: {name: {inputs, outputs: {name: {dtype, shape}}}}, card or null}]. */
export async function models() {
  try {
    const response = await fetch("models.json", { cache: "no-store" });
    return (await response.json()).models;
  } catch (error) {
    throw new ApiError(String(error), "no_models");
  }
}

/** Bytes (ArrayBuffer, Uint8Array or Blob) as base64. */
export async function base64(bytes) {
  const array = new Uint8Array(bytes instanceof Blob ? await bytes.arrayBuffer() : bytes);
  let text = "";
  for (let i = 0; i < array.length; i += 0x8000) {
    text += String.fromCharCode(...array.subarray(i, i + 0x8000));
  }
  return btoa(text);
}

/**
 * Asks a model once.
 *
 * @param model one of `models()`.
 * @param what {signature, inputs} with inputs {name: value of all rows}, or {signature, instances}, a list of rows.
 *   Bytes are {b64: "..."}.
 * @returns {answer, request}. For inputs, the answer is {name: values} of all outputs; for instances, a list. The request
 *   is {url, body, milliseconds}.
 */
export async function predict(model, { signature = "serving_default", inputs, instances }) {
  const url = new URL(`/v1/models/${encodeURIComponent(model.name)}:predict`, location.href).href;
  const body = JSON.stringify({ signature_name: signature, ...(inputs ? { inputs } : { instances }) });
  const start = performance.now();
  let response, found;
  try {
    response = await fetch(url, { method: "POST", body });
    found = await response.json();
  } catch (error) {
    if (response) {
      throw new ApiError(String(error), "bad_answer", { status: response.status });
    }
    throw new ApiError(String(error), "no_server");
  }
  if (!response.ok) {
    if (typeof found.error === "string") {
      throw new ApiError(found.error);
    }
    throw new ApiError("", "bad_answer", { status: response.status });
  }
  const request = { url, body, milliseconds: performance.now() - start };
  if (instances) {
    return { answer: found.predictions, request };
  }
  // TF Serving leaves out the name of an only output.
  const names = Object.keys(model.signatures[signature].outputs);
  return { answer: names.length === 1 ? { [names[0]]: found.outputs } : found.outputs, request };
}

/**
 * Runs at most one task per key at a time: the newest one waits for the one that runs, and older ones are dropped.
 *
 * `run(key, task)` returns what the task returns, or null if it was dropped.
 */
export class Newest {
  #running = new Map(); // key -> the task that waits, {task, resolve}, or null

  async run(key, task) {
    if (this.#running.has(key)) {
      this.#running.get(key)?.resolve(false);
      const turn = await new Promise((resolve) => this.#running.set(key, { resolve }));
      if (!turn) {
        return null;
      }
    }
    this.#running.set(key, null);
    try {
      return await task();
    } finally {
      const waiting = this.#running.get(key);
      if (waiting) {
        waiting.resolve(true);
      } else {
        this.#running.delete(key);
      }
    }
  }
}

/** A request as a command, ready to paste into a shell. */
export function curl({ url, body }) {
  // An argument may have at most 128 kB.
  if (body.length > 100_000 || body.includes("'")) {
    return `curl -d @- ${url} <<'JSON'\n${body}\nJSON`;
  }
  return `curl -d '${body}' ${url}`;
}

/** The same command, with long texts and lists cut. */
export function shortCurl({ url, body }) {
  const short = (value) => {
    if (typeof value === "string") {
      return value.length > 40 ? `${value.slice(0, 24)}…` : value;
    }
    if (Array.isArray(value)) {
      return value.length > 4 ? [...value.slice(0, 2).map(short), "…"] : value.map(short);
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, short(one)]));
    }
    return typeof value === "number" ? Number(value.toPrecision(4)) : value;
  };
  return `curl -d '${JSON.stringify(short(JSON.parse(body))).replaceAll('"…"', "…")}' ${url}`;
}
