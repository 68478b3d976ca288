import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Call { prompt: string; response: ServerResponse; isStream: boolean }

/** A vendor of models that speaks OpenAI's format, and answers when a test lets it. */
export class HeldVendor {
  /** What it was asked so far. */
  readonly prompts: string[] = []
  private readonly waiting: Call[] = []
  private readonly server: Server
  private arrived: (() => void)[] = []

  private constructor() {
    this.server = createServer((request, response) => void this.take(request, response))
  }

  static async start(): Promise<HeldVendor> {
    const vendor = new HeldVendor()
    await new Promise<void>((resolve) => vendor.server.listen(0, '127.0.0.1', resolve))
    return vendor
  }

  /** As a connection's address, before `/v1`. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Wait until it is asked for the nth time. */
  async asked(times: number): Promise<void> {
    while (this.prompts.length < times) await new Promise<void>((resolve) => this.arrived.push(resolve))
  }

  /** Answer all that waits. */
  answer(text: string): void {
    for (const { response, isStream } of this.waiting.splice(0)) {
      if (!isStream) json(response, 200, { id: 'c', object: 'chat.completion', created: 1, model: 'held-1', choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }], usage: { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 } })
      else streamed(response).end(`${chunk({ content: text })}${chunk({}, 'stop')}data: [DONE]\n\n`)
    }
  }

  /** Send the beginning of a streamed answer, and hold the rest. */
  begin(text: string): void {
    for (const { response } of this.waiting) streamed(response).write(chunk({ role: 'assistant', content: text }))
  }

  /** Refuse all that waits, so that nothing tries again. */
  refuse(message: string): void {
    for (const { response } of this.waiting.splice(0)) json(response, 400, { error: { message, type: 'invalid_request_error', param: null, code: null } })
  }

  stop(): void {
    this.server.closeAllConnections()
    this.server.close()
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = JSON.parse(Buffer.concat(parts).toString()) as { stream?: boolean; messages: { content: unknown }[] }
    const call = { prompt: String(body.messages.at(-1)?.content), response, isStream: body.stream === true }
    this.waiting.push(call)
    this.prompts.push(call.prompt)
    this.arrived.splice(0).forEach((resolve) => resolve())
  }
}

/** Its head is sent with the first piece: until then it can still be refused. */
function streamed(response: ServerResponse): ServerResponse {
  return response.headersSent ? response : response.writeHead(200, { 'content-type': 'text/event-stream' })
}

function chunk(delta: object, finish_reason: string | null = null): string {
  return `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'held-1', choices: [{ index: 0, delta, finish_reason }] })}\n\n`
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
