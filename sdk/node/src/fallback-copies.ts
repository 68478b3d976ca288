import type { Bundle } from "./bundle.js";
import type { DiskCache } from "./disk-cache.js";
import { drawVariant, type PromptState, type Source, type FullPrompt } from "./prompts.js";
import type { Warnings } from "./warnings.js";

/** A copy from disk or the bundle, for use if the server can't respond. */
export interface FallbackCopy {
  readonly fullPrompt: FullPrompt;
  readonly drawnVariant: Readonly<PromptState>;
  readonly source: Source;
  readonly revision: number | null;
  /** The epoch of the server that it comes from; null if that has none. */
  readonly epoch: string | null;
  /** In milliseconds since 1970; null if unknown. */
  readonly savedAt: number | null;
}

// A slower disk is treated as if it had no copy.
const LONGEST_READ = 1000;

/** The copies on disk and in the bundle, each read once until it is forgotten. */
export class FallbackCopies {
  readonly #reads = new Map<string, Promise<FallbackCopy | null>>();

  constructor(
    private readonly disk: DiskCache | null,
    private readonly bundle: Bundle | null,
    private readonly warnings: Warnings,
  ) {}

  /** The best copy; null if there is none, or if none could be read in time. */
  find(key: string): Promise<FallbackCopy | null> {
    const pending = this.#reads.get(key);
    if (pending) return pending;
    const reading = this.#read(key);
    const inTime = this.#inTime(key, reading);
    this.#reads.set(key, inTime);
    // A late result is used for the next callers.
    void reading.then(() => {
      if (this.#reads.get(key) === inTime) this.#reads.set(key, reading);
    });
    return inTime;
  }

  forget(key: string): void {
    this.#reads.delete(key);
  }

  forgetAll(): void {
    this.#reads.clear();
  }

  async #read(key: string): Promise<FallbackCopy | null> {
    const saved = await this.disk?.read(key);
    if (saved) {
      const { fullPrompt, position, savedAt } = saved;
      return { fullPrompt, drawnVariant: drawVariant(fullPrompt), source: "disk", ...position, savedAt };
    }
    const bundled = await this.bundle?.read(key);
    if (!bundled) return null;
    const { fullPrompt, epoch } = bundled;
    return { fullPrompt, drawnVariant: drawVariant(fullPrompt), source: "bundle", revision: null, epoch, savedAt: null };
  }

  #inTime(key: string, reading: Promise<FallbackCopy | null>): Promise<FallbackCopy | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.warnings.warn("slow", `the last known copy of prompt '${key}' was not read within ${LONGEST_READ} ms`);
        resolve(null);
      }, LONGEST_READ);
      void reading.then(resolve).finally(() => clearTimeout(timer));
    });
  }
}
