import createClient, { type Middleware } from 'openapi-fetch'

import { BASE, below } from './base'
import type { components, paths } from './schema'

export type Schemas = components['schemas']

/** What the platform answers instead of a result: its sentence, and what stands beside it. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 where the platform could not be reached. */
    readonly status: number,
    /** The platform's code for the situation, such as `not_found`. */
    readonly code: string,
    /** The platform's own sentence, for people. */
    sentence: string,
    readonly requestId: string,
    /** The whole body, with fields such as `current` of a conflict. */
    readonly body: Record<string, unknown> = {},
  ) {
    super(sentence)
  }

  get unreachable(): boolean {
    return this.status === 0
  }
}

/** A change did not take effect: the environment asks for approvals, and it became a request. */
export class ChangeProposed extends ApiError {
  constructor(readonly request: Schemas['ChangeRequestDetail']) {
    super(202, 'change_proposed', request.summary, '')
  }
}

type Listener = () => void
const sessionEnded = new Set<Listener>()

/** Calls `listener` whenever a request is refused because the session has ended. */
export function onSessionEnded(listener: Listener): void {
  sessionEnded.add(listener)
}

const proposed = new Set<(request: Schemas['ChangeRequestDetail']) => void>()

/** Calls `listener` whenever a change has become a request; the function that it returns ends that. */
export function onProposed(listener: (request: Schemas['ChangeRequestDetail']) => void): () => void {
  proposed.add(listener)
  return () => void proposed.delete(listener)
}

let csrfToken = ''

/** The token that proves that a change comes from this page; each login gives another. */
export function setCsrfToken(token: string): void {
  csrfToken = token
}

const guard: Middleware = {
  onRequest({ request }) {
    if (!['GET', 'HEAD'].includes(request.method)) request.headers.set('x-csrf-token', csrfToken)
    return request
  },
  async onResponse({ response, request }) {
    if (response.status === 202) await throwProposed(response)
    if (response.ok || response.status === 304) return response
    if (response.status === 401 && !request.url.endsWith('/api/session')) {
      sessionEnded.forEach((listener) => listener())
    }
    throw await errorOf(response)
  },
  onError() {
    return new ApiError(0, 'unreachable', '', '')
  },
}

async function throwProposed(response: Response): Promise<void> {
  const answer = (await response.clone().json()) as Partial<Schemas['Proposed']>
  const { change_request: request } = answer
  if (!request) return
  proposed.forEach((listener) => listener(request))
  throw new ChangeProposed(request)
}

async function errorOf(response: Response): Promise<ApiError> {
  const requestId = response.headers.get('x-request-id') ?? ''
  let body: Record<string, unknown> = {}
  try {
    body = (await response.json()) as Record<string, unknown>
  } catch {
    // A proxy's page, not an answer of the platform: the status has to do.
  }
  const sentence = typeof body.error === 'string' ? body.error : `${response.status} ${response.statusText}`
  return new ApiError(response.status, String(body.code ?? response.status), sentence, requestId, body)
}

/** The API, typed by its OpenAPI document. Every call resolves with a 2xx answer or throws an ApiError. */
export const api = createClient<paths>({ baseUrl: BASE })
api.use(guard)

/** The body of an answer; the client has thrown where there is none, and where it is a proposal. */
export function body<T>(answer: { data?: T }): Exclude<T, Schemas['Proposed']> {
  return answer.data as Exclude<T, Schemas['Proposed']>
}

/** A request whose answer is read as it comes, such as a stream of a model's text. */
export function stream(path: string, json: unknown, signal: AbortSignal): Promise<Response> {
  return eventsOf(path, { method: 'POST', headers: { 'content-type': 'application/json', 'x-csrf-token': csrfToken }, body: JSON.stringify(json), signal })
}

/** The events at an address; with the id of one, those after it. */
export function followed(path: string, lastEventId: string, signal: AbortSignal): Promise<Response> {
  return eventsOf(path, { headers: lastEventId ? { 'last-event-id': lastEventId } : {}, signal, cache: 'no-store' })
}

async function eventsOf(path: string, request: RequestInit & { signal: AbortSignal }): Promise<Response> {
  let response: Response
  try {
    response = await fetch(below(path), { ...request, headers: { ...request.headers, accept: 'text/event-stream' } })
  } catch (error) {
    if (request.signal.aborted) throw error
    throw new ApiError(0, 'unreachable', '', '')
  }
  if (response.ok) return response
  if (response.status === 401) sessionEnded.forEach((listener) => listener())
  throw await errorOf(response)
}
