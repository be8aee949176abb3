// The page's language, and the texts of the shell. Views bring texts of their own.

const shell = {
  en: {
    views: "Cases",
    language: "Language",
    skip: "Skip to the content",
    request: "The last request",
    request_none: "Nothing has been asked yet. What this page asks the server appears here, ready to copy.",
    copy: "Copy",
    copied: "Copied",
    copy_request: "Copy as curl",
    milliseconds: "{count} ms",
    answered_by: "answered by {model}, version\u00a0{version}",
    source: "The case’s code",
    missing_title: "No model for this yet",
    missing:
      "Train one with the first command. Then stop this server, start it again with the second command, and reload this page.",
    no_server: "The server does not answer. Is bin.serve still running?",
    no_models: "The list of models cannot be read. Reload the page when the server is running.",
    bad_answer: "The server answered with status {status}, but not as TF Serving does.",
    undo: "Undo",
    clear: "Clear",
    pen: "Pen",
    choose: "Choose a picture",
    model: "Model",
  },
  zh: {
    views: "案例",
    language: "语言",
    skip: "跳到内容",
    request: "最近一次请求",
    request_none: "还没有发出请求。本页向服务器发出的请求会显示在这里，可以直接复制。",
    copy: "复制",
    copied: "已复制",
    copy_request: "复制为 curl",
    milliseconds: "{count} 毫秒",
    answered_by: "由 {model} 的版本 {version} 回答",
    source: "案例代码",
    missing_title: "还没有可用的模型",
    missing: "先用第一条命令训练一个模型，再停止当前的服务器，用第二条命令重新启动，然后刷新本页。",
    no_server: "服务器没有响应。bin.serve 还在运行吗？",
    no_models: "无法读取模型列表。请在服务器运行时刷新本页。",
    bad_answer: "服务器返回了状态 {status}，但内容不符合 TF Serving 的格式。",
    undo: "撤销",
    clear: "清除",
    pen: "笔宽",
    choose: "选择图片",
    model: "模型",
  },
};

export const languages = { en: "English", zh: "中文" };

const stored = "tf2cases.language";

function remembered() {
  try {
    return localStorage.getItem(stored);
  } catch {
    return null; // the browser keeps nothing for this page
  }
}

function preferred() {
  const wanted = [remembered(), ...navigator.languages].filter(Boolean);
  const known = wanted.map((tag) => tag.slice(0, 2).toLowerCase()).filter((tag) => tag in languages);
  return known[0] ?? "en";
}

let current = preferred();

/** The language of the page: "en" or "zh". */
export function language() {
  return current;
}

/** Sets the language, and remembers it. */
export function setLanguage(tag) {
  current = tag;
  try {
    localStorage.setItem(stored, tag);
  } catch {
    // Then it lasts as long as the page is open.
  }
}

/**
 * Returns a function `t(key, values)`: the text with this key in the page's language, from a view's texts, else from the
 * shell's, else in English, else the key itself. `{name}` in a text is replaced by the value of that name.
 */
export function translator(texts = {}) {
  return (key, values = {}) => {
    const sources = [texts[current], shell[current], texts.en, shell.en];
    const text = sources.map((source) => source?.[key]).find((found) => found !== undefined) ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  };
}

/** The text of the shell with this key. */
export const t = translator();
