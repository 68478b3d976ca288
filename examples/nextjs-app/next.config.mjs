import { fileURLToPath } from "node:url";

export default {
  // The client opens a socket and reads files, so it stays a package of Node instead of being bundled.
  serverExternalPackages: ["@promptops/client"],
  // Here the client is a link to this repository's own; an app with the published package needs no root.
  turbopack: { root: fileURLToPath(new URL("../..", import.meta.url)) },
};
