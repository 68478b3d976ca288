import type { Bundle } from "./bundle.js";
import type { Disk } from "./disk.js";
import { drawnFrom, type PromptState, type Source, type Whole } from "./prompts.js";
import type { Warnings } from "./warnings.js";

/** A copy that was put aside, for when the server can't answer. */
export interface Copy {
  readonly whole: Whole;
  readonly drawn: Readonly<PromptState>;
  readonly source: Source;
  readonly revision: number | null;
  /** Of the server that it comes from; null where that has none. */
  readonly epoch: string | null;
  /** In milliseconds since 1970; null where nobody knows. */
  readonly savedAt: number | null;
}

// A disk that is slower is as good as none.
const LONGEST_READ = 1000;

/** The copies on disk and in the bundle, each read once until it is forgotten. */
export class LastKnown {
  readonly #found = new Map<string, Promise<Copy | null>>();

  constructor(
    private readonly disk: Disk | null,
    private readonly bundle: Bundle | null,
    private readonly warnings: Warnings,
  ) {}

  /** The best copy; null where there is none, or none could be read in time. */
  find(key: string): Promise<Copy | null> {
    const known = this.#found.get(key);
    if (known) return known;
    const reading = this.#read(key);
    const inTime = this.#inTime(key, reading);
    this.#found.set(key, inTime);
    // What comes too late for these callers does for the next ones.
    void reading.then(() => {
      if (this.#found.get(key) === inTime) this.#found.set(key, reading);
    });
    return inTime;
  }

  forget(key: string): void {
    this.#found.delete(key);
  }

  forgetAll(): void {
    this.#found.clear();
  }

  async #read(key: string): Promise<Copy | null> {
    const saved = await this.disk?.read(key);
    if (saved) {
      const { whole, stamp, savedAt } = saved;
      return { whole, drawn: drawnFrom(whole), source: "disk", ...stamp, savedAt };
    }
    const bundled = await this.bundle?.read(key);
    if (!bundled) return null;
    const { whole, epoch } = bundled;
    return { whole, drawn: drawnFrom(whole), source: "bundle", revision: null, epoch, savedAt: null };
  }

  #inTime(key: string, reading: Promise<Copy | null>): Promise<Copy | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.warnings.warn("slow", `the last known copy of prompt '${key}' was not read within ${LONGEST_READ} ms`);
        resolve(null);
      }, LONGEST_READ);
      void reading.then(resolve).finally(() => clearTimeout(timer));
    });
  }
}
