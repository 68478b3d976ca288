import type { PromptOpsError } from "./errors.js";
import type { ChangeEvent } from "./events.js";
import type { Prompt } from "./prompts.js";
import { wordsOf } from "./warnings.js";

/** A prompt's new copy, and the event that told of it. */
export interface Update {
  readonly key: string;
  readonly prompt: Prompt;
  readonly event: ChangeEvent;
}

/** A prompt that is there no longer. */
export interface Deletion {
  readonly key: string;
  readonly event: ChangeEvent;
}

/** What a client tells, by name. */
export interface ClientEvents {
  /** A prompt has changed; while anybody listens, prompts that are not held yet are fetched and told too. */
  update: [update: Update];
  /** A held prompt was deleted. */
  delete: [deletion: Deletion];
  /** The watch's connection stands. */
  connect: [];
  /** The watch's connection is lost; the client connects again by itself. */
  disconnect: [];
  /** The server has refused the token: UnauthorizedError or ForbiddenError. */
  error: [error: PromptOpsError];
}

export type EventName = keyof ClientEvents;
export type Listener<Name extends EventName> = (...told: ClientEvents[Name]) => unknown;

type AnyListener = (...told: never[]) => unknown;

interface Registration {
  readonly listener: AnyListener;
  readonly isOnce: boolean;
}

const NAMES: readonly EventName[] = ["update", "delete", "connect", "disconnect", "error"];

/**
 * Tells who listens. Unlike Node's own emitter, an `error` that nobody listens for ends nothing, and
 * neither does what a listener throws or rejects with: that becomes a warning of the process.
 */
export class Listeners {
  readonly #listeners = new Map<EventName, Registration[]>(NAMES.map((name) => [name, []]));

  /** For good, or for one time only; again is passed over. TypeError for an unknown event. */
  add<Name extends EventName>(name: Name, listener: Listener<Name>, isOnce = false): void {
    if (typeof listener !== "function") throw new TypeError("a listener must be a function");
    const added = this.#of(name);
    const isThere = added.some((each) => each.listener === listener && each.isOnce === isOnce);
    if (!isThere) added.push({ listener, isOnce });
  }

  remove<Name extends EventName>(name: Name, listener: Listener<Name>): void {
    this.#keep(name, (each) => each.listener !== listener);
  }

  has(name: EventName): boolean {
    return this.#of(name).length > 0;
  }

  tell<Name extends EventName>(name: Name, ...told: ClientEvents[Name]): void {
    const listening = this.#of(name);
    this.#keep(name, ({ isOnce }) => !isOnce);
    for (const { listener } of listening) {
      try {
        const answer = (listener as Listener<Name>)(...told);
        if (answer instanceof Promise) answer.catch((error: unknown) => warnOf(name, error));
      } catch (error) {
        warnOf(name, error);
      }
    }
  }

  #keep(name: EventName, isKept: (each: Registration) => boolean): void {
    this.#listeners.set(name, this.#of(name).filter(isKept));
  }

  #of(name: EventName): Registration[] {
    const found = this.#listeners.get(name);
    if (!found) throw new TypeError(`there is no event '${name}', only ${NAMES.join(", ")}`);
    return found;
  }
}

function warnOf(name: EventName, error: unknown): void {
  const options = { type: "PromptOpsWarning", detail: error instanceof Error ? (error.stack ?? "") : "" };
  process.emitWarning(`a listener for '${name}' failed: ${wordsOf(error)}`, options);
}
