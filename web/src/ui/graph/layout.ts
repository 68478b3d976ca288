import { Graph, layout } from '@dagrejs/dagre'

export interface GraphNode {
  id: string
  /** In pixels. */
  height: number
}

export interface GraphLink {
  id: string
  from: string
  to: string
  label?: string
  tone?: 'selected' | 'live' | 'quiet'
  /** What removing it means, for its button; without it, the link stays. */
  removeLabel?: string
}

export interface Place {
  x: number
  y: number
}

export const NODE_WIDTH = 208
const BETWEEN_RANKS = 40
const BETWEEN_NODES = 32

/** Where each node stands, from top to bottom, so that every link goes down. */
export function placeNodes(nodes: readonly GraphNode[], links: readonly GraphLink[]): Map<string, Place> {
  const graph = new Graph()
  graph.setGraph({ rankdir: 'TB', ranksep: BETWEEN_RANKS, nodesep: BETWEEN_NODES })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { id, height } of nodes) graph.setNode(id, { width: NODE_WIDTH, height })
  for (const { from, to } of links) graph.setEdge(from, to)
  layout(graph)
  const centres = nodes.map(({ id }) => graph.node(id) as unknown as Place)
  const mirrored = isBackwards(centres) ? -1 : 1
  return new Map(nodes.map(({ id, height }, index) => {
    const { x, y } = centres[index] as Place
    return [id, { x: x * mirrored - NODE_WIDTH / 2, y: y - height / 2 }]
  }))
}

/** Whether nodes of one rank stand in the reverse of the order in which they were listed. */
function isBackwards(centres: readonly Place[]): boolean {
  const lastOfRank = new Map<number, number>()
  let order = 0
  for (const { x, y } of centres) {
    const last = lastOfRank.get(y)
    if (last !== undefined) order += Math.sign(x - last)
    lastOfRank.set(y, x)
  }
  return order < 0
}

/** The smallest rectangle around all nodes. */
export function boundsOf(places: ReadonlyMap<string, Place>, nodes: readonly GraphNode[]): Place & { width: number; height: number } {
  const corners = nodes.flatMap(({ id, height }) => {
    const place = places.get(id)
    return place ? [place, { x: place.x + NODE_WIDTH, y: place.y + height }] : []
  })
  if (!corners.length) return { x: 0, y: 0, width: NODE_WIDTH, height: NODE_WIDTH }
  const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)]
  const [x, y] = [Math.min(...xs), Math.min(...ys)]
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y }
}

/** More than any picture is wide. */
const FAR = 100_000

type Direction = 'ArrowUp' | 'ArrowDown' | 'ArrowLeft' | 'ArrowRight'

/** The nearest node in this direction: up and down of the next rank, to the side of the same one. */
export function neighbourOf(id: string, direction: Direction, places: ReadonlyMap<string, Place>): string | undefined {
  const start = places.get(id)
  if (!start) return undefined
  const isVertical = direction === 'ArrowUp' || direction === 'ArrowDown'
  const sign = direction === 'ArrowDown' || direction === 'ArrowRight' ? 1 : -1
  let nearest: { id: string; distance: number } | undefined
  for (const [other, place] of places) {
    const [dx, dy] = [place.x - start.x, place.y - start.y]
    const ahead = (isVertical ? dy : dx) * sign
    if (other === id || ahead <= 0) continue
    const distance = isVertical ? Math.round(ahead / BETWEEN_RANKS) * FAR + Math.abs(dx) : ahead + Math.abs(dy) * FAR
    if (!nearest || distance < nearest.distance) nearest = { id: other, distance }
  }
  return nearest?.id
}

export function isDirection(key: string): key is Direction {
  return ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight'].includes(key)
}
