/** Shares one call between concurrent callers. */
export class Coalesced<T> {
  readonly #running = new Map<string, Promise<T>>();
  readonly #next = new Map<string, Promise<T>>();

  constructor(private readonly call: (key: string) => Promise<T>) {}

  isRunning(key: string): boolean {
    return this.#running.has(key);
  }

  runningKeys(): string[] {
    return [...this.#running.keys()];
  }

  /** The outcome of the running call, or of a new one. */
  join(key: string): Promise<T> {
    return this.#running.get(key) ?? this.#start(key);
  }

  /** The outcome of a call that begins now or later, and therefore sees everything that happened before. */
  callAnew(key: string): Promise<T> {
    const running = this.#running.get(key);
    if (!running) return this.#start(key);
    const waiting = this.#next.get(key);
    if (waiting) return waiting;
    const start = (): Promise<T> => {
      this.#next.delete(key);
      return this.join(key);
    };
    const next = running.then(start, start);
    this.#next.set(key, next);
    return next;
  }

  #start(key: string): Promise<T> {
    const running = this.call(key).finally(() => this.#running.delete(key));
    this.#running.set(key, running);
    return running;
  }
}
