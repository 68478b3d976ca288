export interface ServerEvent {
  event: string
  data: string
  /** Empty where the stream can't be resumed after it. */
  id: string
}

/** The events of a `text/event-stream`, as the HTML standard parses them, each as soon as it is whole. */
export async function* serverEvents(response: Response): AsyncGenerator<ServerEvent> {
  if (!response.body) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let pending = ''
  for (;;) {
    const { value, done } = await reader.read()
    pending += value ?? ''
    const blocks = pending.split(/\r\n\r\n|\n\n|\r\r/)
    pending = done ? '' : (blocks.pop() ?? '')
    for (const block of blocks) {
      const event = parsed(block)
      if (event) yield event
    }
    if (done) return
  }
}

function parsed(block: string): ServerEvent | null {
  let name = 'message'
  let id = ''
  const data: string[] = []
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
    if (field === 'event') name = value ?? ''
    else if (field === 'id') id = value ?? ''
    else if (field === 'data') data.push(value ?? '')
  }
  return data.length ? { event: name, data: data.join('\n'), id } : null
}
