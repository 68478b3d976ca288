import { expect } from '@playwright/test'

import { TOKEN } from './platform.ts'

export type Json = Record<string, unknown>
export interface Answer<T = Json> { status: number; body: { data: T; error?: string } & Json }

/** The platform's API as a program uses it, with a token. */
export class Api {
  constructor(
    readonly url: string,
    readonly token: string = TOKEN,
  ) {}

  async request<T = Json>(method: string, path: string, json?: unknown): Promise<Answer<T>> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: json === undefined ? undefined : JSON.stringify(json),
    })
    return { status: response.status, body: (await response.json()) as Answer<T>['body'] }
  }

  /** The data of a 2xx answer; anything else fails the test. */
  async data<T = Json>(method: string, path: string, json?: unknown): Promise<T> {
    const { status, body } = await this.request<T>(method, path, json)
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`)
    return body.data
  }

  get<T = Json>(path: string): Promise<T> {
    return this.data<T>('GET', path)
  }

  post<T = Json>(path: string, json: unknown = {}): Promise<T> {
    return this.data<T>('POST', path, json)
  }

  put<T = Json>(path: string, json: unknown): Promise<T> {
    return this.data<T>('PUT', path, json)
  }
}

/** Prefect needs its time to start on a busy machine; until then runs wait. */
export async function untilRunsStart(api: Api): Promise<void> {
  await expect.poll(async () => (await fetch(`${api.url}/ready?runs=true`)).status, { timeout: 170_000 }).toBe(200)
}
