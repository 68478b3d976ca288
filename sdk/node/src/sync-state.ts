import type { WebSocket } from "./socket.js";

import { ClientClosedError, isRefusal, NotFoundError, type PromptOpsError } from "./errors.js";
import { type ChangeEvent, changeEvent } from "./events.js";
import type { Listeners } from "./listeners.js";
import type { CachedPrompt } from "./cached-prompts.js";
import { DELETED, type Message } from "./messages.js";
import { type Due, Progress } from "./progress.js";
import { Reports } from "./reports.js";
import { Retries } from "./retries.js";
import { isBefore, reaches, type FeedPosition, UNKNOWN } from "./feed-position.js";
import type { Observer, PromptStore } from "./prompt-store.js";
import { Outage, messageOf } from "./warnings.js";

/** The type of an event for a change without an event of the server. */
const REFRESHED = "prompt.refreshed";
const MOST_REFETCHES = 8;

/** Keeps cached prompts up to date with the events of the server. */
export class SyncState implements Observer {
  readonly #progress = new Progress();
  readonly #reports: Reports;
  // The keys that can be refetched now, in order.
  readonly #ready = new Set<string>();
  readonly #running = new Set<string>();
  readonly #retries = new Retries((key) => this.#schedule(key));
  readonly #outage = new Outage("hot reload works again");
  readonly #notifiedPositions = new Map<string, FeedPosition>();
  #isWatching = false;
  #isConnected = false;

  constructor(
    private readonly store: PromptStore,
    private readonly listeners: Listeners,
    private readonly environment: string,
  ) {
    this.#reports = new Reports(
      () => store.cachedKeys(),
      () => this.#progress.applied,
    );
  }

  get resumeParameters(): { since: string; epoch: string | undefined } {
    return this.#progress.resumeParameters;
  }

  /** Notifies listeners of changes from now on. */
  startWatching(): void {
    this.#isWatching = true;
  }

  connected(epoch: string, socket: WebSocket): void {
    this.#progress.helloReceived(epoch);
    this.#reports.connected(socket);
    this.#markConnected();
  }

  /** Handles a connection to an older server, which resends nothing and needs no reports. */
  connectedWithoutHello(): void {
    this.#markConnected();
    for (const key of this.store.relevantKeys()) this.#makeDue(key, UNKNOWN, null);
    this.#endOutageIfIdle();
  }

  /** Records a failed connection, which is tried again. */
  connectionFailed(reason: string): void {
    this.#outage.report(`hot reload does not work, trying until it does: ${reason}`);
  }

  disconnected(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#progress.disconnected();
    this.#reports.disconnected();
    this.#ready.clear();
    this.#retries.clear();
    this.listeners.notify("disconnect");
  }

  /** Handles a message after the hello. */
  handleMessage(message: Message): void {
    if (message.type === "heartbeat") this.#handleHeartbeat(message.revision);
    else if (message.type === "unnumbered") this.#handleUnnumberedChange(message.event);
    else if (message.type === "resync") this.#handleResync(message.epoch, message.revision);
    else if (message.type === "change" && this.#progress.receive(message.revision)) {
      this.#handleChange(message.event, { revision: message.revision, epoch: this.#progress.received.epoch });
    }
  }

  get isWatching(): boolean {
    return this.#isWatching;
  }

  feedPosition(): FeedPosition {
    return this.#progress.received;
  }

  isUpToDate(): boolean {
    return this.#isConnected && this.#progress.received.revision !== null;
  }

  copyAdded(key: string, cached: CachedPrompt, positionAtStart: FeedPosition): void {
    this.#reports.cachedKeysChanged();
    const received = this.#progress.received;
    // No event covers the changes in between.
    if (!isBefore(cached.position, positionAtStart) || received.epoch !== cached.position.epoch) return;
    const reached = cached.position.revision as number;
    if (this.#isConnected) {
      this.#progress.addOutdated(key, reached, positionAtStart.revision as number);
      this.#schedule(key);
    } else this.#progress.rewindTo(reached);
  }

  copyChanged(key: string, cached: CachedPrompt): void {
    if (!this.#isWatching) return;
    const due = this.#progress.get(key);
    // Otherwise an event notifies of it, which has arrived or will arrive.
    const hasNoEvent = due ? due.event === null : !this.isUpToDate();
    if (hasNoEvent) this.#notifyUpdate(this.#makeEvent(REFRESHED, key, cached.drawnVariant.version), cached);
  }

  promptRemoved(key: string, event: ChangeEvent | null): void {
    this.#reports.cachedKeysChanged();
    this.#notifiedPositions.delete(key);
    if (this.#isWatching) {
      this.listeners.notify("delete", { key, event: event ?? this.#makeEvent(DELETED, key, "") });
    }
  }

  tokenRefused(key: string, error: PromptOpsError): void {
    if (!this.#running.has(key) || this.#retries.beginsRound(key)) this.listeners.notify("error", error);
  }

  /** Records that the server refused the token for the connection. */
  connectionRefused(error: PromptOpsError): void {
    this.connectionFailed(error.message);
    this.listeners.notify("error", error);
  }

  #markConnected(): void {
    if (this.#isConnected) return;
    this.#isConnected = true;
    this.store.endPauses();
    this.listeners.notify("connect");
  }

  #handleHeartbeat(revision: number): void {
    const { epoch, revision: received } = this.#progress.received;
    // The server has not sent its position, so cached prompts may be at any revision.
    if (received === null) this.#handleResync(epoch as string, revision);
    this.#progress.receive(revision);
    if (this.#progress.isComplete) this.store.confirmAll();
    this.#reports.appliedChanged();
    this.#endOutageIfIdle();
  }

  #endOutageIfIdle(): void {
    if (this.#progress.isIdle) this.#outage.end();
  }

  #handleResync(epoch: string, revision: number): void {
    const keys = this.store.relevantKeys();
    this.#progress.resync(epoch, revision, keys);
    this.#reports.resynced();
    this.#retries.clear();
    for (const key of keys) this.#schedule(key);
    if (keys.length === 0) this.#reports.appliedChanged();
  }

  #handleChange(event: ChangeEvent, position: FeedPosition): void {
    const { key } = event;
    const cached = this.store.cached(key);
    const isFetching = this.store.isFetching(key);
    if (event.type === DELETED) {
      // Running fetches may return an older state.
      if (cached || isFetching) this.store.requirePosition(key, position);
      if (cached && !reaches(cached.position, position)) this.store.removePrompt(key, event);
      if (isFetching) this.#makeDue(key, position, null);
      else this.#progress.done(key);
      if (cached) this.#reports.appliedChanged();
    } else if (cached || isFetching || this.listeners.has("update")) {
      this.#makeDue(key, position, event);
    }
  }

  /** Each type of event may have changed the served prompt. */
  #handleUnnumberedChange(event: ChangeEvent): void {
    const isConcerned = this.store.cached(event.key) || this.store.isFetching(event.key);
    if (isConcerned || this.listeners.has("update")) this.#makeDue(event.key, UNKNOWN, event);
  }

  #makeDue(key: string, position: FeedPosition, event: ChangeEvent | null): void {
    this.#progress.add(key, position.revision, event);
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
      const cached = await this.#currentCopy(key, { revision, epoch: this.#progress.received.epoch });
      this.#finish(due, { revision, event });
      // It may have been deleted in the meantime, with its own notification.
      if (event && this.store.cached(key)) this.#notifyUpdate(event, cached);
    } catch (error) {
      if (error instanceof NotFoundError) this.#finish(due, { revision, event });
      else this.#fail(due, { revision, event }, error);
    } finally {
      this.#running.delete(key);
      // Wait for events that arrived together with the response.
      setImmediate(() => this.#refetchReady());
    }
  }

  /**
   * Returns the cached copy if it is at this position or a later one, also after a resync; otherwise
   * refetches.
   */
  async #currentCopy(key: string, position: FeedPosition): Promise<CachedPrompt> {
    const cached = this.store.cached(key);
    return cached && reaches(cached.position, position) ? cached : this.store.refetch(key, position);
  }

  /** Completes the due key, unless it became due again, or its connection is lost. */
  #finish(due: Due, done: Pick<Due, "revision" | "event">): void {
    this.#retries.succeeded(due.key);
    if (this.#progress.get(due.key) !== due) return;
    if (isDueAgain(due, done)) {
      this.#ready.add(due.key);
      return;
    }
    this.#progress.done(due.key);
    this.#reports.appliedChanged();
    this.#endOutageIfIdle();
  }

  /** Retries the key after a pause, or immediately if a new event has arrived. */
  #fail(due: Due, attempted: Pick<Due, "revision" | "event">, error: unknown): void {
    if (error instanceof ClientClosedError || this.#progress.get(due.key) !== due) return;
    this.#outage.report(`prompt '${due.key}' was not refreshed, trying until it is: ${messageOf(error)}`);
    if (isDueAgain(due, attempted)) return;
    this.#ready.delete(due.key);
    this.#retries.failed(due.key, isRefusal(error));
  }

  /** Notifies of each event once, even if a new connection resends it. */
  #notifyUpdate(event: ChangeEvent, cached: CachedPrompt): void {
    const { key } = event;
    const position = { revision: (event["revision"] as number) ?? null, epoch: cached.position.epoch };
    const previous = this.#notifiedPositions.get(key);
    if (previous && reaches(previous, position)) return;
    if (position.revision !== null) this.#notifiedPositions.set(key, position);
    this.listeners.notify("update", { key, prompt: this.store.toPrompt(cached, "server", undefined), event });
  }

  #makeEvent(type: string, key: string, version: string): ChangeEvent {
    return changeEvent({ type, id: "", key, env: this.environment, version });
  }
}

function isDueAgain(due: Due, previous: Pick<Due, "revision" | "event">): boolean {
  return due.revision !== previous.revision || due.event !== previous.event;
}
