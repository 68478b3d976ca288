import { readFile } from "node:fs/promises";

import { isKey } from "./arguments.js";
import { ProtocolError } from "./errors.js";
import { isObject, parseJson } from "./json.js";
import { parsePrompt, type Whole } from "./prompts.js";
import { type Warnings, wordsOf } from "./warnings.js";

/** The prompts of a saved snapshot; a file that is none is warned of, and holds nothing. */
export class Bundle {
  #reading: Promise<Map<string, Whole>> | null = null;

  constructor(
    private readonly file: string,
    private readonly environment: string,
    private readonly warnings: Warnings,
  ) {}

  /** Null if it is not in the bundle. */
  async read(key: string): Promise<Whole | null> {
    this.#reading ??= this.#load();
    return (await this.#reading).get(key) ?? null;
  }

  async #load(): Promise<Map<string, Whole>> {
    try {
      const bytes = await readFile(this.file);
      const prompts = promptsIn(new TextDecoder("utf-8", { fatal: true }).decode(bytes), this.environment);
      return new Map(prompts.flatMap((each) => this.#parsed(each)).map((whole) => [whole.served.key, whole]));
    } catch (error) {
      this.warnings.warn("bundle", `the bundle ${this.file} can't be used: ${wordsOf(error)}`);
      return new Map();
    }
  }

  /** None where it is not valid: the others are as good as ever. */
  #parsed(prompt: unknown): Whole[] {
    try {
      const whole = parsePrompt(prompt, "");
      if (!isKey(whole.served.key)) throw new ProtocolError("a prompt came without a key");
      return [whole];
    } catch (error) {
      this.warnings.warn("bundle's prompts", `passed over a prompt in the bundle ${this.file}: ${wordsOf(error)}`);
      return [];
    }
  }
}

function promptsIn(text: string, environment: string): unknown[] {
  const snapshot = parseJson(text);
  const prompts = isObject(snapshot) ? snapshot["prompts"] : null;
  if (!isObject(snapshot) || !Array.isArray(prompts)) {
    throw new Error("it is no snapshot: it has no list 'prompts'");
  }
  if (typeof snapshot["env"] === "string" && snapshot["env"] !== environment) {
    throw new Error(`it is of the environment '${snapshot["env"]}', not '${environment}'`);
  }
  return prompts;
}
