import { readFile } from "node:fs/promises";

import { parseJson } from "./json.js";
import type { FullPrompt } from "./prompts.js";
import { parseSnapshot } from "./snapshot.js";
import { type Warnings, messageOf } from "./warnings.js";

/** A prompt of the bundle, and the epoch of the server that it comes from. */
export interface Bundled {
  readonly fullPrompt: FullPrompt;
  readonly epoch: string | null;
}

/** The prompts of a saved snapshot. An invalid file causes a warning and leaves the bundle empty. */
export class Bundle {
  #reading: Promise<Map<string, Bundled>> | null = null;

  constructor(
    private readonly file: string,
    private readonly environment: string,
    private readonly warnings: Warnings,
  ) {}

  /** Null if it is not in the bundle. */
  async read(key: string): Promise<Bundled | null> {
    this.#reading ??= this.#load();
    return (await this.#reading).get(key) ?? null;
  }

  async #load(): Promise<Map<string, Bundled>> {
    try {
      const data = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(await readFile(this.file)));
      const { epoch, prompts } = parseSnapshot(data, this.environment, `the bundle ${this.file}`, this.warnings);
      return new Map(prompts.map((fullPrompt) => [fullPrompt.served.key, { fullPrompt, epoch }]));
    } catch (error) {
      this.warnings.warn("bundle", `the bundle ${this.file} can't be used: ${messageOf(error)}`);
      return new Map();
    }
  }
}
