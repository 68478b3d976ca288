import { useQueryCache } from '@pinia/colada'
import { defineStore } from 'pinia'
import { ref } from 'vue'

/** An event of `/ws`: `type` is `prompt.updated`, `run.ended` and so on, the rest names what it is about. */
export interface LiveEvent {
  type: string
  id?: string
  key?: string
  env?: string
  version?: string
  [field: string]: unknown
}

const SHORTEST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 10_000
const GATHER_MS = 80
const TINT_MS = 1_000

/** Which cached queries an event makes stale, by the first part of the event's type. */
const STALE: Record<string, string[]> = {
  prompt: ['prompts', 'audit'],
}

/** The one connection to `/ws` of this page: it heals itself and keeps what is cached up to date. */
export const useLive = defineStore('live', () => {
  const connected = ref(false)
  /** Ids of what changed within the last second, for the tint of their rows. */
  const changed = ref(new Set<string>())
  const cache = useQueryCache()
  const listeners = new Set<(event: LiveEvent) => void>()
  let socket: WebSocket | null = null
  let wanted = false
  let pause = SHORTEST_PAUSE_MS
  let gathering: number | undefined
  const stale = new Set<string>()

  function connect(): void {
    wanted = true
    if (socket) return
    const address = new URL('/ws?client=console&app=console', location.href)
    address.protocol = address.protocol.replace('http', 'ws')
    socket = new WebSocket(address)
    socket.addEventListener('open', () => {
      connected.value = true
      pause = SHORTEST_PAUSE_MS
      // What changed while nobody listened is not known: everything that is shown is asked for again.
      void cache.invalidateQueries()
    })
    socket.addEventListener('message', ({ data }) => hear(JSON.parse(String(data)) as LiveEvent))
    socket.addEventListener('close', () => {
      socket = null
      connected.value = false
      if (!wanted) return
      window.setTimeout(() => wanted && connect(), pause)
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
    })
  }

  function disconnect(): void {
    wanted = false
    socket?.close()
  }

  function hear(event: LiveEvent): void {
    for (const listener of listeners) listener(event)
    if (event.id) tint(event.id)
    for (const key of STALE[event.type.split('.')[0] ?? ''] ?? []) stale.add(key)
    // A publish of a whole folder is one refetch, not hundreds.
    gathering ??= window.setTimeout(refetch, GATHER_MS)
  }

  function refetch(): void {
    gathering = undefined
    const keys = [...stale]
    stale.clear()
    for (const key of keys) void cache.invalidateQueries({ key: [key] })
  }

  function tint(id: string): void {
    changed.value = new Set(changed.value).add(id)
    window.setTimeout(() => {
      const rest = new Set(changed.value)
      rest.delete(id)
      changed.value = rest
    }, TINT_MS)
  }

  /** Hear each event; the answer ends that. */
  function onEvent(listener: (event: LiveEvent) => void): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  return { connected, changed, connect, disconnect, onEvent }
})
