import type { WebSocket } from "./socket.js";

const WINDOW = 100;
const MOST_FRAMES = 1000;
const PER_MILLISECOND = 10;
const MOST_UNSENT = 64 * 1024;

/** Keeps a server that floods a connection with frames from taking the program's time and memory. */
export class FloodGuard {
  #frames = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly socket: Pick<WebSocket, "pause" | "resume" | "pong" | "bufferedAmount">) {}

  /** A frame has come. Beyond what a server can mean, reading pauses as long as the frames would take evenly. */
  count(): void {
    this.#frames += 1;
    this.#timer ??= setTimeout(() => this.#endWindow(), WINDOW);
    if (this.#frames === MOST_FRAMES) this.socket.pause();
  }

  /** Unless the server does not read its pongs. */
  answerPing(data: Buffer): void {
    if (this.socket.bufferedAmount < MOST_UNSENT) this.socket.pong(data, undefined, () => undefined);
  }

  end(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #endWindow(): void {
    const left = this.#frames >= MOST_FRAMES ? this.#frames / PER_MILLISECOND - WINDOW : 0;
    this.#frames = 0;
    this.#timer = left > 0 ? setTimeout(() => this.#resume(), left) : null;
    if (left <= 0) this.socket.resume();
  }

  #resume(): void {
    this.#timer = null;
    this.#frames = 0;
    this.socket.resume();
  }
}
