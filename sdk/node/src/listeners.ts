import type { PromptOpsError } from "./errors.js";
import type { ChangeEvent } from "./events.js";
import type { Prompt } from "./prompts.js";
import { messageOf } from "./warnings.js";

/** A prompt's new copy, and the event of the change. */
export interface Update {
  readonly key: string;
  readonly prompt: Prompt;
  readonly event: ChangeEvent;
}

/** A deleted prompt. */
export interface Deletion {
  readonly key: string;
  readonly event: ChangeEvent;
}

/** The events of a client, by name. */
export interface ClientEvents {
  /**
   * A prompt has changed. While this event has a listener, prompts that are not cached yet are fetched, too.
   */
  update: [update: Update];
  /** A cached prompt was deleted. */
  delete: [deletion: Deletion];
  /** The watch has connected. */
  connect: [];
  /** The watch has lost its connection; the client reconnects by itself. */
  disconnect: [];
  /** The server has refused the token: UnauthorizedError or ForbiddenError. */
  error: [error: PromptOpsError];
}

export type EventName = keyof ClientEvents;
export type Listener<Name extends EventName> = (...args: ClientEvents[Name]) => unknown;

type AnyListener = (...args: never[]) => unknown;

interface Registration {
  readonly listener: AnyListener;
  readonly isOnce: boolean;
}

const NAMES: readonly EventName[] = ["update", "delete", "connect", "disconnect", "error"];

/**
 * Notifies listeners. Unlike Node's own emitter, an `error` event without a listener ends nothing, and
 * neither does an error of a listener: that causes a warning of the process.
 */
export class Listeners {
  readonly #listeners = new Map<EventName, Registration[]>(NAMES.map((name) => [name, []]));

  /**
   * Adds a listener, permanently or for one event; ignores one that is added already. TypeError for an
   * unknown event.
   */
  add<Name extends EventName>(name: Name, listener: Listener<Name>, isOnce = false): void {
    if (typeof listener !== "function") throw new TypeError("a listener must be a function");
    const added = this.#of(name);
    const isRegistered = added.some((registration) => registration.listener === listener && registration.isOnce === isOnce);
    if (!isRegistered) added.push({ listener, isOnce });
  }

  remove<Name extends EventName>(name: Name, listener: Listener<Name>): void {
    this.#filterListeners(name, (registration) => registration.listener !== listener);
  }

  has(name: EventName): boolean {
    return this.#of(name).length > 0;
  }

  notify<Name extends EventName>(name: Name, ...args: ClientEvents[Name]): void {
    const listening = this.#of(name);
    this.#filterListeners(name, ({ isOnce }) => !isOnce);
    for (const { listener } of listening) {
      try {
        const result = (listener as Listener<Name>)(...args);
        if (result instanceof Promise) result.catch((error: unknown) => warnOf(name, error));
      } catch (error) {
        warnOf(name, error);
      }
    }
  }

  #filterListeners(name: EventName, isKept: (registration: Registration) => boolean): void {
    this.#listeners.set(name, this.#of(name).filter(isKept));
  }

  #of(name: EventName): Registration[] {
    const registrations = this.#listeners.get(name);
    if (!registrations) throw new TypeError(`there is no event '${name}', only ${NAMES.join(", ")}`);
    return registrations;
  }
}

function warnOf(name: EventName, error: unknown): void {
  const options = { type: "PromptOpsWarning", detail: error instanceof Error ? (error.stack ?? "") : "" };
  process.emitWarning(`a listener for '${name}' failed: ${messageOf(error)}`, options);
}
