// Builds the package where it is installed from a folder or from git, and before it is packed.
import { execFileSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const COMPILER = fileURLToPath(new URL("node_modules/typescript/bin/tsc", import.meta.url));

// npm brings the compiler for a package from git, and not for a folder.
if (!existsSync(COMPILER)) {
  const ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  // npm hands its options on: a global or a packing install is meant for the package, not for its tools.
  const environment = Object.entries(process.env).filter(([name]) => !/^npm_config_(global|install_links|omit|include|production|prefix|local_prefix|dry_run|package_lock)$/i.test(name));
  const options = { cwd: FOLDER, stdio: "inherit", env: { ...Object.fromEntries(environment), NODE_ENV: "development" } };
  execFileSync("npm", ci, { ...options, shell: process.platform === "win32" });
}
rmSync(new URL("dist", import.meta.url), { recursive: true, force: true });
for (const project of ["tsconfig.build.json", "tsconfig.cjs.json"]) {
  execFileSync(process.execPath, [COMPILER, "-p", project], { cwd: FOLDER, stdio: "inherit" });
}
writeFileSync(new URL("dist/cjs/package.json", import.meta.url), '{ "type": "commonjs" }\n');
