import { markRaw, reactive } from 'vue'

import { ApiError, api, body, stream, type Schemas } from '@/api/client'
import { serverEvents } from '@/api/events'

type RunDetail = Schemas['RunDetail']
type Result = Schemas['AgentResult']

/** What a run does, in the order in which it does it. */
export type Activity =
  | { kind: 'text'; step: number; text: string; attempt: number }
  | { kind: 'tool'; step: number; name: string; arguments: unknown; output: string | null; error: string | null; isDone: boolean }

export interface Question {
  /** What is run, where it is not what is served. */
  version?: number
  env?: string
  input?: string
  variables: Record<string, unknown>
  conversationId: string
  apiKey?: string
  baseUrl?: string
  subject?: string
}

const TICK_MS = 100

/** One turn of a test chat: what was asked, and what the agent does with it. */
export class Turn {
  state: 'waiting' | 'running' | 'done' | 'failed' | 'left' | 'stopping' = 'waiting'
  activities: Activity[] = []
  runId = ''
  totalMs = 0
  error = ''
  rendered = ''
  result: Result | null = null
  /** The run as the log has it, with the tokens and the cost of each step. */
  run: RunDetail | null = null
  controller: AbortController | null = null

  constructor(readonly question: Question) {}

  get isActive(): boolean {
    return this.state === 'waiting' || this.state === 'running'
  }

  /** Follow a run from its question to its end. */
  async follow(agentId: string): Promise<void> {
    const controller = (this.controller = markRaw(new AbortController()))
    const began = performance.now()
    const clock = window.setInterval(() => (this.totalMs = performance.now() - began), TICK_MS)
    try {
      const { version, env, input, variables, conversationId, apiKey, baseUrl, subject } = this.question
      const request = { version, env, input, variables, conversation_id: conversationId, api_key: apiKey || undefined, base_url: baseUrl || undefined, subject: subject || undefined, stream: true }
      const response = await stream(`/api/agents/${encodeURIComponent(agentId)}/run`, request, controller.signal)
      for await (const { event, data } of serverEvents(response)) this.take(event, JSON.parse(data) as Record<string, unknown>)
      if (this.isActive) this.state = 'left'
    } catch (failure) {
      if (failure instanceof ApiError) this.fail(failure.message, failure.body)
      else this.state = 'left'
    } finally {
      window.clearInterval(clock)
      this.totalMs = performance.now() - began
    }
    await this.readRun()
  }

  /** Stop to follow it; the run itself goes on. */
  leave(): void {
    this.controller?.abort()
  }

  take(event: string, data: Record<string, unknown>): void {
    const step = Number(data.step)
    if (event === 'start') {
      this.runId = String(data.run_id)
      this.state = 'running'
    } else if (event === 'delta') this.addText(step, String(data.text), Number(data.attempt ?? 1))
    else if (event === 'tool_call') this.activities.push({ kind: 'tool', step, name: toolName(String(data.name)), arguments: data.arguments, output: null, error: null, isDone: false })
    else if (event === 'tool_result') this.endTool(step, data)
    else if (event === 'result') {
      this.result = data as unknown as Result
      this.rendered = this.result.rendered
      this.runId = this.result.run_id
      this.state = 'done'
    } else if (event === 'error') this.fail(String(data.error), data)
    else if (event === 'stopping') this.state = 'stopping'
  }

  /** The text of another attempt at an answer replaces that of the one before. */
  addText(step: number, text: string, attempt: number): void {
    const last = this.activities.find((one) => one.kind === 'text' && one.step === step)
    if (last?.kind !== 'text') this.activities.push({ kind: 'text', step, text, attempt })
    else Object.assign(last, { text: (attempt === last.attempt ? last.text : '') + text, attempt })
  }

  endTool(step: number, data: Record<string, unknown>): void {
    const call = this.activities.find((one) => one.kind === 'tool' && one.step === step && !one.isDone)
    if (call?.kind === 'tool') Object.assign(call, { output: data.output ?? null, error: data.error ?? null, isDone: true })
  }

  fail(sentence: string, fields: Record<string, unknown>): void {
    this.error = sentence
    this.rendered = String(fields.rendered ?? '')
    this.runId = String(fields.run_id ?? this.runId)
    this.state = 'failed'
  }

  async readRun(): Promise<void> {
    if (!this.runId) return
    try {
      this.run = body(await api.GET('/api/runs/{run_id}', { params: { path: { run_id: this.runId } } })).data
    } catch {
      // The trace has no figures then; the answer stands.
    }
  }
}

export function newTurn(question: Question): Turn {
  return reactive(new Turn(question)) as Turn
}

/** An id that no other conversation has. */
export function newConversationId(): string {
  const random = crypto.getRandomValues(new Uint32Array(2))
  return `console-${[...random].map((part) => part.toString(36)).join('')}`
}

/** A step is called `tool: forecast` in the trace; a chat shows the tool's own name. */
function toolName(step: string): string {
  return step.replace(/^tool: /u, '')
}
