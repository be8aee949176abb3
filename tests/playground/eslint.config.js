// The linter of the page's modules. It is called in this folder, with the folder of the page as its argument.

import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    files: ["**/*.js"],
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      curly: "error",
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-implicit-coercion": "error",
      "no-shadow": "error",
      "no-unused-vars": "error",
      "object-shorthand": "error",
      "prefer-template": "error",
    },
  },
];
