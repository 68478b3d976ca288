import { describe, expect, it } from 'vitest'

import { NODE_WIDTH, boundsOf, neighbourOf, placeNodes, type Place } from './layout'

const nodes = ['top', 'one', 'two', 'three', 'end'].map((id) => ({ id, height: 56 }))
const links = [['top', 'one'], ['top', 'two'], ['top', 'three'], ['one', 'end'], ['two', 'end'], ['three', 'end']].map(([from, to]) => ({ id: `${from}-${to}`, from: from as string, to: to as string }))
const at = (places: Map<string, Place>, id: string) => places.get(id) as Place

describe('the places of nodes', () => {
  it('go down along every link, and never overlap', () => {
    const places = placeNodes(nodes, links)
    for (const { from, to } of links) expect(at(places, to).y).toBeGreaterThanOrEqual(at(places, from).y + 56)
    const [one, two] = [at(places, 'one'), at(places, 'two')]
    expect(one.y).toBe(two.y)
    expect(Math.abs(one.x - two.x)).toBeGreaterThan(NODE_WIDTH)
  })

  it('keep the order of the list from left to right', () => {
    const places = placeNodes(nodes, links)
    expect(['one', 'two', 'three'].map((id) => at(places, id).x)).toEqual(['one', 'two', 'three'].map((id) => at(places, id).x).sort((a, b) => a - b))
  })

  it('are there for circles and for no node at all', () => {
    const circle = [{ id: 'a', from: 'one', to: 'two' }, { id: 'b', from: 'two', to: 'one' }]
    expect(placeNodes(nodes.slice(1, 3), circle).size).toBe(2)
    expect(placeNodes([], []).size).toBe(0)
  })
})

describe('the bounds of nodes', () => {
  it('hold every node whole', () => {
    const places = placeNodes(nodes, links)
    const { x, y, width, height } = boundsOf(places, nodes)
    for (const place of places.values()) {
      expect(place.x).toBeGreaterThanOrEqual(x)
      expect(place.y).toBeGreaterThanOrEqual(y)
      expect(place.x + NODE_WIDTH).toBeLessThanOrEqual(x + width)
      expect(place.y + 56).toBeLessThanOrEqual(y + height)
    }
    expect(width).toBeLessThan(4 * NODE_WIDTH)
  })

  it('are of some size without any node', () => {
    expect(boundsOf(new Map(), [])).toMatchObject({ width: NODE_WIDTH })
  })
})

describe('the neighbours of a node', () => {
  const places = new Map([['top', { x: 0, y: 0 }], ['left', { x: -120, y: 100 }], ['right', { x: 120, y: 100 }], ['end', { x: 0, y: 200 }]])

  it('are the nearest in each direction', () => {
    expect(neighbourOf('left', 'ArrowRight', places)).toBe('right')
    expect(neighbourOf('right', 'ArrowUp', places)).toBe('top')
    expect(neighbourOf('top', 'ArrowDown', places)).toBe('left')
    expect(neighbourOf('left', 'ArrowDown', places)).toBe('end')
    expect(neighbourOf('end', 'ArrowDown', places)).toBeUndefined()
    expect(neighbourOf('nobody', 'ArrowUp', places)).toBeUndefined()
  })
})
