import type { WebSocket } from "./socket.js";

const WINDOW = 100;
const MOST_FRAMES = 1000;
const PER_MILLISECOND = 10;
const MOST_UNSENT = 64 * 1024;

/** Limits the time and memory that a server can take by flooding a connection with frames. */
export class FloodGuard {
  #frames = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly socket: Pick<WebSocket, "pause" | "resume" | "pong" | "bufferedAmount">) {}

  /**
   * Counts a frame. Beyond the rate of any server, reading pauses for as long as the frames would take at
   * that rate.
   */
  count(): void {
    this.#frames += 1;
    this.#timer ??= setTimeout(() => this.#endWindow(), WINDOW);
    if (this.#frames === MOST_FRAMES) this.socket.pause();
  }

  /** Sends a pong, unless the server does not read its pongs. */
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
