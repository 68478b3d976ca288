import { useQueryCache } from '@pinia/colada'
import { defineStore } from 'pinia'
import { ref } from 'vue'

import { below } from '@/api/base'

import { pacedRefetch, staleAfter } from './staleness'

/** An event of `/ws`: `type` is `prompt.updated`, `run.ended` and so on, the rest names what it is about. */
export interface LiveEvent {
  type: string
  id?: string
  key?: string
  workspace?: string | null
  env?: string
  version?: string
  [field: string]: unknown
}

const SHORTEST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 10_000
const TINT_MS = 1_000

/** The one connection to `/ws` of this page: it heals itself and keeps what is cached up to date. */
export const useLive = defineStore('live', () => {
  const connected = ref(false)
  /** Ids of what changed within the last second, for the tint of their rows. */
  const changed = ref(new Set<string>())
  const cache = useQueryCache()
  const listeners = new Set<(event: LiveEvent) => void>()
  let socket: WebSocket | null = null
  let isStarted = false
  let pause = SHORTEST_PAUSE_MS
  /** What fails, such as a look at a workspace that was just deleted, is shown where the query is used. */
  function refetch(key?: string[]): void {
    cache.invalidateQueries({ key }).catch(() => undefined)
  }

  const refetches = pacedRefetch((key) => refetch([key]))

  function connect(): void {
    isStarted = true
    if (socket) return
    const address = new URL(below('/ws?client=console&app=console'), location.href)
    address.protocol = address.protocol.replace('http', 'ws')
    socket = new WebSocket(address)
    socket.addEventListener('open', () => {
      connected.value = true
      pause = SHORTEST_PAUSE_MS
      refetchAll()
    })
    socket.addEventListener('message', ({ data }) => hear(JSON.parse(String(data)) as LiveEvent))
    socket.addEventListener('close', () => {
      socket = null
      connected.value = false
      if (!isStarted) return
      window.setTimeout(() => isStarted && connect(), pause)
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
    })
  }

  function disconnect(): void {
    isStarted = false
    socket?.close()
  }

  function hear(event: LiveEvent): void {
    for (const listener of listeners) listener(event)
    if (event.id) tint(event.id)
    if (event.type === 'resync') refetchAll()
    else staleAfter(event.type).forEach(refetches.mark)
  }

  /** What changed while nobody listened is not known, nor what other rights show: all is asked for again. */
  function refetchAll(): void {
    refetches.clear()
    refetch()
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
