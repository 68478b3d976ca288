import { markRaw, reactive } from 'vue'

import { ApiError, stream, type Schemas } from '@/api/client'
import { serverEvents } from '@/api/events'

import type { PlaygroundRun } from './run_request'

export type Answer = Schemas['PlaygroundAnswer']
export type RunState = 'idle' | 'waiting' | 'streaming' | 'done' | 'failed' | 'stopped'

export interface Failure {
  /** The platform's own sentence; empty where it could not be reached or the stream broke off. */
  sentence: string
  /** The platform's code, such as `rate_limited`; `unreachable`, `cut_off` or `stopping` of ours. */
  code: string
  requestId: string
  rendered: string
}

const TICK_MS = 100
const PATH = '/api/playground/run'

/** One run of a column, as it goes on. */
export class ColumnRun {
  state: RunState = 'idle'
  text = ''
  firstTokenMs: number | null = null
  totalMs: number | null = null
  answer: Answer | null = null
  failure: Failure | null = null
  private controller: AbortController | null = null

  get isActive(): boolean {
    return this.state === 'waiting' || this.state === 'streaming'
  }

  async start(request: PlaygroundRun): Promise<void> {
    this.stop()
    const controller = (this.controller = markRaw(new AbortController()))
    Object.assign(this, { state: 'waiting', text: '', firstTokenMs: null, totalMs: 0, answer: null, failure: null })
    const began = performance.now()
    const elapsed = () => performance.now() - began
    const clock = window.setInterval(() => (this.totalMs = elapsed()), TICK_MS)
    try {
      const response = await stream(PATH, request, controller.signal)
      for await (const { event, data } of serverEvents(response)) this.take(event, JSON.parse(data) as Record<string, unknown>, elapsed())
      if (this.isActive) this.fail({ sentence: '', code: 'cut_off', requestId: '', rendered: '' })
    } catch (error) {
      if (this.controller !== controller) return
      if (controller.signal.aborted) this.state = 'stopped'
      else this.fail(failureOf(error))
    } finally {
      window.clearInterval(clock)
      if (this.controller === controller) {
        this.controller = null
        this.totalMs = elapsed()
      }
    }
  }

  /** End it; what has arrived stays. */
  stop(): void {
    this.controller?.abort()
  }

  private take(event: string, data: Record<string, unknown>, ms: number): void {
    if (event === 'delta') {
      this.firstTokenMs ??= ms
      this.state = 'streaming'
      this.text += String(data.text)
    } else if (event === 'result') {
      this.answer = data as unknown as Answer
      this.text = this.answer.result.output
      this.state = 'done'
    } else if (event === 'error') {
      this.fail({ sentence: String(data.error), code: String(data.reason ?? data.code), requestId: '', rendered: String(data.rendered ?? '') })
    } else if (event === 'stopping') this.fail({ sentence: '', code: 'stopping', requestId: '', rendered: '' })
  }

  private fail(failure: Failure): void {
    this.failure = failure
    this.state = 'failed'
  }
}

export function newRun(): ColumnRun {
  return reactive(new ColumnRun()) as ColumnRun
}

function failureOf(error: unknown): Failure {
  if (error instanceof ApiError) {
    return { sentence: error.message, code: String(error.body.reason ?? error.code), requestId: error.requestId, rendered: String(error.body.rendered ?? '') }
  }
  // The connection broke while the answer was read.
  return { sentence: '', code: 'cut_off', requestId: '', rendered: '' }
}
