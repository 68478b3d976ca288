import type { WebSocket } from "./socket.js";

import { ClientClosedError, isRefusal, NotFoundError, type PromptOpsError } from "./errors.js";
import { type ChangeEvent, changeEvent } from "./events.js";
import type { Listeners } from "./listeners.js";
import type { Held } from "./memory.js";
import { DELETED, type Message } from "./messages.js";
import { type Due, Progress } from "./progress.js";
import { Reports } from "./reports.js";
import { Retries } from "./retries.js";
import { isBefore, reaches, type Stamp, UNKNOWN } from "./revisions.js";
import type { Observer, Store } from "./store.js";
import { Outage, wordsOf } from "./warnings.js";

/** The type of the event for a change that no event of the server told of. */
const REFRESHED = "prompt.refreshed";
const MOST_REFETCHES = 8;

/** Keeps what is held up to date with what the server tells. */
export class Following implements Observer {
  readonly #progress = new Progress();
  readonly #reports: Reports;
  // The keys that can be refetched now, in order.
  readonly #ready = new Set<string>();
  readonly #running = new Set<string>();
  readonly #retries = new Retries((key) => this.#schedule(key));
  readonly #outage = new Outage("hot reload works again");
  readonly #toldOf = new Map<string, Stamp>();
  #isWatching = false;
  #isConnected = false;

  constructor(
    private readonly store: Store,
    private readonly listeners: Listeners,
    private readonly environment: string,
  ) {
    this.#reports = new Reports(
      () => store.heldKeys(),
      () => this.#progress.applied,
    );
  }

  get position(): { since: string; epoch: string | undefined } {
    return this.#progress.position;
  }

  /** From now on changes are told to listeners. */
  begin(): void {
    this.#isWatching = true;
  }

  connected(epoch: string, socket: WebSocket): void {
    this.#progress.greeted(epoch);
    this.#reports.connected(socket);
    this.#stands();
  }

  /** To a server of before, which can't tell what was missed and wants no reports. */
  connectedUngreeted(): void {
    this.#stands();
    for (const key of this.store.concernedKeys()) this.#makeDue(key, UNKNOWN, null);
    this.#seeWhetherWell();
  }

  /** The connection could not be made, for this reason; it is tried again. */
  notConnected(reason: string): void {
    this.#outage.goesOn(`hot reload does not work, trying until it does: ${reason}`);
  }

  disconnected(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#progress.disconnected();
    this.#reports.disconnected();
    this.#ready.clear();
    this.#retries.clear();
    this.listeners.tell("disconnect");
  }

  /** What the server says after its hello. */
  take(message: Message): void {
    if (message.type === "heartbeat") this.#beat(message.revision);
    else if (message.type === "unnumbered") this.#changeOfBefore(message.event);
    else if (message.type === "resync") this.#resync(message.epoch, message.revision);
    else if (message.type === "change" && this.#progress.hear(message.revision)) {
      this.#change(message.event, { revision: message.revision, epoch: this.#progress.told.epoch });
    }
  }

  get isWatching(): boolean {
    return this.#isWatching;
  }

  told(): Stamp {
    return this.#progress.told;
  }

  isWell(): boolean {
    return this.#isConnected && this.#progress.told.revision !== null;
  }

  added(key: string, held: Held, toldAtStart: Stamp): void {
    this.#reports.holdingChanged();
    const told = this.#progress.told;
    // No event will tell of what lies between.
    if (!isBefore(held.stamp, toldAtStart) || told.epoch !== held.stamp.epoch) return;
    const reached = held.stamp.revision as number;
    if (this.#isConnected) {
      this.#progress.addBehind(key, reached, toldAtStart.revision as number);
      this.#schedule(key);
    } else this.#progress.goBackTo(reached);
  }

  changed(key: string, held: Held): void {
    if (!this.#isWatching) return;
    const due = this.#progress.get(key);
    // Else an event tells it, which has come or will come.
    const isUntold = due ? due.event === null : !this.isWell();
    if (isUntold) this.#tell(this.#made(REFRESHED, key, held.drawn.version), held);
  }

  removed(key: string, event: ChangeEvent | null): void {
    this.#reports.holdingChanged();
    this.#toldOf.delete(key);
    if (this.#isWatching) {
      this.listeners.tell("delete", { key, event: event ?? this.#made(DELETED, key, "") });
    }
  }

  refused(key: string, error: PromptOpsError): void {
    if (!this.#running.has(key) || this.#retries.beginsRound(key)) this.listeners.tell("error", error);
  }

  /** The token was refused for the connection. */
  refusedToConnect(error: PromptOpsError): void {
    this.notConnected(error.message);
    this.listeners.tell("error", error);
  }

  #stands(): void {
    if (this.#isConnected) return;
    this.#isConnected = true;
    this.store.endPauses();
    this.listeners.tell("connect");
  }

  #beat(revision: number): void {
    const { epoch, revision: told } = this.#progress.told;
    // A server that has not said where it begins: what is held may be of any revision.
    if (told === null) this.#resync(epoch as string, revision);
    this.#progress.hear(revision);
    if (this.#progress.isComplete) this.store.confirmAll();
    this.#reports.appliedChanged();
    this.#seeWhetherWell();
  }

  #seeWhetherWell(): void {
    if (this.#progress.isIdle) this.#outage.isOver();
  }

  #resync(epoch: string, revision: number): void {
    const keys = this.store.concernedKeys();
    this.#progress.resync(epoch, revision, keys);
    this.#reports.resynced();
    this.#retries.clear();
    for (const key of keys) this.#schedule(key);
    if (keys.length === 0) this.#reports.appliedChanged();
  }

  #change(event: ChangeEvent, stamp: Stamp): void {
    const { key } = event;
    const held = this.store.held(key);
    const isFetching = this.store.isFetching(key);
    if (event.type === DELETED) {
      // Answers under way may be from before.
      if (held || isFetching) this.store.want(key, stamp);
      if (held && !reaches(held.stamp, stamp)) this.store.forget(key, event);
      if (isFetching) this.#makeDue(key, stamp, null);
      else this.#progress.done(key);
      if (held) this.#reports.appliedChanged();
    } else if (held || isFetching || this.listeners.has("update")) {
      this.#makeDue(key, stamp, event);
    }
  }

  /** Of any type: each may have changed what is served. */
  #changeOfBefore(event: ChangeEvent): void {
    const isConcerned = this.store.held(event.key) || this.store.isFetching(event.key);
    if (isConcerned || this.listeners.has("update")) this.#makeDue(event.key, UNKNOWN, event);
  }

  #makeDue(key: string, stamp: Stamp, event: ChangeEvent | null): void {
    this.#progress.add(key, stamp.revision, event);
    this.#retries.endPause(key);
    this.#schedule(key);
  }

  #schedule(key: string): void {
    if (this.#retries.isPausing(key)) return;
    this.#ready.add(key);
    this.#refetchReady();
  }

  #refetchReady(): void {
    for (const key of this.#ready) {
      if (this.#running.size >= MOST_REFETCHES) return;
      if (this.#running.has(key)) continue;
      this.#ready.delete(key);
      const due = this.#progress.get(key);
      if (due) void this.#refetch(due);
    }
  }

  async #refetch(due: Due): Promise<void> {
    const { key, revision, event } = due;
    this.#running.add(key);
    try {
      const held = await this.#upToDate(key, { revision, epoch: this.#progress.told.epoch });
      this.#finish(due, { revision, event });
      // It may have been deleted in the meantime, which was told.
      if (event && this.store.held(key)) this.#tell(event, held);
    } catch (error) {
      if (error instanceof NotFoundError) this.#finish(due, { revision, event });
      else this.#fail(due, { revision, event }, error);
    } finally {
      this.#running.delete(key);
      // Events that have come together with the answer wait for it together.
      setImmediate(() => this.#refetchReady());
    }
  }

  /** A copy of that revision or a later one need not be fetched, also after a resync. */
  async #upToDate(key: string, stamp: Stamp): Promise<Held> {
    const held = this.store.held(key);
    return held && reaches(held.stamp, stamp) ? held : this.store.refetch(key, stamp);
  }

  /** Unless it was due again meanwhile, or the connection that told of it is lost. */
  #finish(due: Due, done: Pick<Due, "revision" | "event">): void {
    this.#retries.succeeded(due.key);
    if (this.#progress.get(due.key) !== due) return;
    if (isDueAgain(due, done)) {
      this.#ready.add(due.key);
      return;
    }
    this.#progress.done(due.key);
    this.#reports.appliedChanged();
    this.#seeWhetherWell();
  }

  /** After a pause it is tried again, but at once where there has been news of it meanwhile. */
  #fail(due: Due, tried: Pick<Due, "revision" | "event">, error: unknown): void {
    if (error instanceof ClientClosedError || this.#progress.get(due.key) !== due) return;
    this.#outage.goesOn(`prompt '${due.key}' was not refreshed, trying until it is: ${wordsOf(error)}`);
    if (isDueAgain(due, tried)) return;
    this.#ready.delete(due.key);
    this.#retries.failed(due.key, isRefusal(error));
  }

  /** Each event once, although a new connection may bring it again. */
  #tell(event: ChangeEvent, held: Held): void {
    const { key } = event;
    const stamp = { revision: (event["revision"] as number) ?? null, epoch: held.stamp.epoch };
    const before = this.#toldOf.get(key);
    if (before && reaches(before, stamp)) return;
    if (stamp.revision !== null) this.#toldOf.set(key, stamp);
    this.listeners.tell("update", { key, prompt: this.store.answer(held, "server", undefined), event });
  }

  #made(type: string, key: string, version: string): ChangeEvent {
    return changeEvent({ type, id: "", key, env: this.environment, version });
  }
}

function isDueAgain(due: Due, before: Pick<Due, "revision" | "event">): boolean {
  return due.revision !== before.revision || due.event !== before.event;
}
