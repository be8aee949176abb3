// The shell: which view is shown, in which language, and what was asked last.

import * as api from "./api.js";
import * as parts from "./parts.js";
import { language, languages, setLanguage, t, translator } from "./text.js";
import { views } from "./views/all.js";

const { h } = parts;
const place = (id) => document.getElementById(id);
const serve = "python -m bin.serve --model_base_path=exports";

let models = null; // null: they cannot be read
let closeView = () => {};
let shown = null; // the view on the page

/** The view that the address names, else the first. */
function wanted() {
  return views.find((view) => view.id === location.hash.slice(1)) ?? views[0];
}

function showError(error) {
  const box = place("message");
  box.hidden = !error;
  box.textContent = error ? sentence(error) : "";
}

function sentence(error) {
  const text = error.key ? t(error.key, error.values) : error.message;
  return /[.!?。！？]$/.test(text) ? text : `${text}.`;
}

/**
 * What a view may ask for: `predict(model, {signature, inputs or instances, replaces})`.
 *
 * Inputs may be a function, which is called when it is the request's turn. `predict` returns the answer (see `api.predict`); or null if the server refused, which the page then shows, if a newer request
 * with the same `replaces` took its place, or if the view has been left.
 */
function asker(view) {
  const newest = new api.Newest();
  return async (model, { replaces = null, ...what }) => {
    const ask = async () => {
      if (shown !== view) {
        return null; // left while the request waited for its turn
      }
      try {
        const inputs = typeof what.inputs === "function" ? what.inputs() : what.inputs;
        const { answer, request } = await api.predict(model, { ...what, inputs });
        if (shown !== view) {
          return null;
        }
        showError(null);
        showRequest(request, model);
        return answer;
      } catch (error) {
        if (!(error instanceof api.ApiError)) {
          throw error;
        }
        if (shown === view) {
          showError(error);
        }
        return null;
      }
    };
    return replaces === null ? ask() : newest.run(replaces, ask);
  };
}

const panel = {};

/** The panel below the view: the latency, and the request as curl. */
function makePanel(view) {
  panel.time = h("p.time", { "aria-hidden": "true" });
  panel.by = h("p.by");
  panel.code = h("code");
  panel.request = panel.model = null;
  panel.copy = parts.copyButton(t("copy_request"), t("copied"), () => api.curl(panel.request));
  panel.copy.hidden = true;
  panel.pre = h("pre", { tabIndex: 0, role: "region", "aria-label": t("request"), hidden: true }, panel.code);
  panel.none = h("p.hint", {}, t("request_none"));
  place("request").replaceChildren(
    h(
      "div.request-head",
      {},
      h("h2", { id: "request-title" }, t("request")),
      panel.time,
      panel.by,
      h("a.source", { href: `source/${view.source}`, target: "_blank", rel: "noopener" }, `${t("source")} ↗`),
    ),
    panel.none,
    h("div.code", {}, panel.pre, panel.copy),
  );
}

let refresh = 0;

function showRequest(request, model) {
  Object.assign(panel, { request, model });
  // At most once per frame, however fast the answers are.
  refresh ||= requestAnimationFrame(() => {
    refresh = 0;
    const { request: last, model: by } = panel;
    if (!last) {
      return;
    }
    panel.none.hidden = true;
    panel.pre.hidden = panel.copy.hidden = false;
    panel.time.textContent = t("milliseconds", { count: Math.max(1, Math.round(last.milliseconds)) });
    panel.by.textContent = t("answered_by", { model: by.name, version: by.version });
    panel.code.textContent = api.shortCurl(last);
  });
}

function missing(view) {
  const words = { copy: t("copy"), copied: t("copied") };
  return h(
    "section.card.missing",
    {},
    h("h2", {}, t("missing_title")),
    h("p", {}, t("missing")),
    parts.code(view.train, words),
    parts.code(serve, words),
  );
}

function show() {
  closeView();
  closeView = () => {};
  const view = (shown = wanted());
  const text = translator(view.texts);
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.title = `${text("title")} · tf2cases`;
  place("title").textContent = text("title");
  place("summary").textContent = text("summary");
  place("skip").textContent = t("skip");
  showNavigation(view);
  showError(null);
  makePanel(view);
  const root = place("view");
  root.replaceChildren();
  root.className = `view view-${view.id}`;
  if (models === null) {
    showError(new api.ApiError("", "no_models"));
    place("request").hidden = true;
    return;
  }
  const own = view.models(models);
  place("request").hidden = own.length === 0;
  if (own.length === 0) {
    root.append(missing(view));
    return;
  }
  const context = { ...parts, models: own, t: text, language: language(), predict: asker(view), showError };
  closeView = view.show(root, context) ?? (() => {});
}

function showNavigation(view) {
  place("views").setAttribute("aria-label", t("views"));
  place("views").replaceChildren(
    h(
      "ul",
      {},
      views.map((one) => {
        const link = h("a", { href: `#${one.id}` }, translator(one.texts)("title"));
        if (one === view) {
          link.setAttribute("aria-current", "page");
        }
        if (models && one.models(models).length === 0) {
          link.classList.add("without-model");
        }
        return h("li", {}, link);
      }),
    ),
  );
  place("views").querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "center" });
  place("languages").setAttribute("aria-label", t("language"));
  place("languages").replaceChildren(
    ...Object.entries(languages).map(([tag, name]) => {
      const pressed = String(tag === language());
      const choose = () => {
        setLanguage(tag);
        show();
        place("languages").querySelector("[aria-pressed=true]").focus();
      };
      return h("button", { type: "button", lang: tag, "aria-pressed": pressed, onclick: choose }, name);
    }),
  );
}

place("skip").addEventListener("click", () => place("main").focus());
addEventListener("hashchange", () => {
  show();
  scrollTo(0, 0);
});
try {
  models = await api.models();
} catch {
  models = null;
}
show();
document.documentElement.dataset.ready = "true";
