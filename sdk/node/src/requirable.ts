import { createRequire } from "node:module";

// Bundled into an ES module, `ws` asks a global `require` for Node's own modules while it loads. This module
// gives it one, and `unrequirable` takes it away again.
const scope = globalThis as { require?: unknown };

export const isNeeded = typeof scope.require === "undefined";
if (isNeeded) scope.require = createRequire("/");
