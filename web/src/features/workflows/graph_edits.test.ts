import { describe, expect, it } from 'vitest'

import { linksOf } from '@/app/step_graph'

import { closesCircle, connect, disconnect, insertAfter, insertBeside, putBack, remove, rename, withNeeds } from './graph_edits'

const list = [{ name: 'ask', type: 'render' }, { name: 'call', type: 'model' }, { type: 'transform', op: 'trim' }]
const fan = [
  { name: 'ask', type: 'render', needs: [] },
  { name: 'left', type: 'model', needs: ['ask'] },
  { name: 'right', type: 'model', needs: ['ask'] },
  { name: 'join', type: 'render', needs: ['left', 'right'], template: '{{steps.left.output}} {{ steps.right.output.items[0] }} {{steps.left_2.output}}' },
]

describe('the links of steps', () => {
  it('follow the order of a plain list', () => {
    expect(linksOf(list)).toEqual([{ from: 0, to: 1 }, { from: 1, to: 2 }])
    expect(linksOf([])).toEqual([])
  })

  it('follow needs once a step has them, and leave out what is not there', () => {
    expect(linksOf([...fan, { name: 'last', needs: ['nobody'] }])).toEqual([{ from: 0, to: 1 }, { from: 0, to: 2 }, { from: 1, to: 3 }, { from: 2, to: 3 }])
  })

  it('have the side of the branch on which they lie', () => {
    const branch = { name: 'route', type: 'branch', needs: [], then: ['pay'], else: 'wait' }
    const steps = [branch, { name: 'pay', needs: ['route'] }, { name: 'wait', needs: [] }]
    expect(linksOf(steps)).toEqual([{ from: 0, to: 1, side: 'then' }, { from: 0, to: 2, side: 'else' }])
    expect(linksOf([{ ...branch, needs: undefined }, { name: 'pay' }])).toEqual([{ from: 0, to: 1, side: 'then' }])
  })
})

describe('connecting', () => {
  it('writes the order of a plain list as needs, with a name for each step', () => {
    expect(withNeeds(list)).toEqual([
      { name: 'ask', type: 'render', needs: [] },
      { name: 'call', type: 'model', needs: ['ask'] },
      { name: 'step_3', type: 'transform', op: 'trim', needs: ['call'] },
    ])
    expect(withNeeds([{ name: 'a' }, { name: 'a' }]).map((step) => step.name)).toEqual(['a', 'a_2'])
  })

  it('adds what a step needs, once', () => {
    const steps = connect(list, 0, 2)
    expect(steps[2]).toMatchObject({ needs: ['call', 'ask'] })
    expect(connect(steps, 0, 2)[2]).toMatchObject({ needs: ['call', 'ask'] })
    expect(list[2]).toEqual({ type: 'transform', op: 'trim' })
  })

  it('ends with the link, also with the side of a branch', () => {
    expect(disconnect(fan, 1, 3)[3]).toMatchObject({ needs: ['right'] })
    const steps = [{ name: 'route', type: 'branch', needs: [], then: ['pay'], else: [] }, { name: 'pay', needs: ['route'] }]
    expect(disconnect(steps, 0, 1)).toEqual([{ name: 'route', type: 'branch', needs: [], then: [], else: [] }, { name: 'pay', needs: [] }])
  })

  it('sees circles before they are closed', () => {
    expect(closesCircle(fan, 3, 0)).toBe(true)
    expect(closesCircle(fan, 1, 1)).toBe(true)
    expect(closesCircle(fan, 1, 2)).toBe(false)
    expect(closesCircle(list, 2, 0)).toBe(true)
    expect(closesCircle([{ name: 'a', needs: ['b'] }, { name: 'b', needs: ['a'] }], 0, 1)).toBe(true)
  })
})

describe('adding and removing', () => {
  it('keeps a plain list plain', () => {
    expect(insertAfter(list, { name: 'new' }, 0)).toEqual({ steps: [list[0], { name: 'new' }, list[1], list[2]], index: 1 })
    expect(insertAfter(list, { name: 'new' }, -1).index).toBe(3)
    expect(remove(list, 1)).toEqual([list[0], list[2]])
  })

  it('puts a step after another, or onto a link', () => {
    expect(insertAfter(fan, { name: 'new' }, 1).steps[2]).toEqual({ name: 'new', needs: ['left'] })
    const { steps, index } = insertAfter(fan, { name: 'new' }, 1, 3)
    expect(index).toBe(2)
    expect(steps[4]).toMatchObject({ name: 'join', needs: ['right', 'new'] })
  })

  it('puts a step beside another, which then both run at once', () => {
    const { steps, index } = insertBeside(list, { name: 'other' }, 1)
    expect(steps[index]).toEqual({ name: 'other', needs: ['ask'] })
    expect(linksOf(steps)).toEqual([{ from: 0, to: 1 }, { from: 0, to: 2 }, { from: 1, to: 3 }])
  })

  it('hands on what the removed step needed', () => {
    expect(remove(fan, 1)[2]).toMatchObject({ name: 'join', needs: ['ask', 'right'] })
    expect(remove([{ name: 'r', type: 'branch', needs: [], then: ['a', 'b'] }, { name: 'a', needs: [] }, { name: 'b', needs: [] }], 1)[0]).toMatchObject({ then: ['b'] })
  })
})

describe('putting back', () => {
  it('undoes a removal, but not what was changed since', () => {
    const rest = remove(fan, 1)
    expect(putBack(rest, fan, 1)).toEqual(fan)
    const edited = rest.map((step) => (step.name === 'join' ? { ...step, template: 'new', needs: ['right'] } : step))
    expect(putBack(edited, fan, 1)[3]).toMatchObject({ template: 'new', needs: ['right'] })
    expect(putBack(remove(list, 2), list, 2)).toEqual(list)
  })
})

describe('renaming', () => {
  it('follows needs, sides and paths in texts, and no longer name', () => {
    const steps = rename(fan, 1, 'first')
    expect(steps[1]).toMatchObject({ name: 'first' })
    expect(steps[3]).toMatchObject({ needs: ['first', 'right'], template: '{{steps.first.output}} {{ steps.right.output.items[0] }} {{steps.left_2.output}}' })
    expect(rename([{ name: 'r', type: 'branch', then: 'a', else: ['a'] }, { name: 'a' }], 1, 'b')[0]).toMatchObject({ then: 'b', else: ['b'] })
  })

  it('reaches into maps, and leaves other texts alone', () => {
    const steps = [{ name: 'a' }, { name: 'm', type: 'map', over: '{{steps.a.output}}', step: { type: 'render', template: 'a {{steps.a.output}}' } }]
    expect(rename(steps, 0, 'b')[1]).toMatchObject({ over: '{{steps.b.output}}', step: { template: 'a {{steps.b.output}}' } })
  })

  it('writes names that are no words in brackets', () => {
    const steps = [{ name: 'a' }, { name: 'b', template: '{{steps.a.output}}' }]
    const renamed = rename(steps, 0, 'the $& call')
    expect(renamed[1]).toMatchObject({ template: '{{steps["the $& call"].output}}' })
    expect(rename(renamed, 0, 'a')).toEqual(steps)
  })

  it('changes nothing else while the name is empty or another step has it', () => {
    expect(rename(fan, 1, '')[3]).toEqual(fan[3])
    expect(rename(fan, 1, 'right')[3]).toEqual(fan[3])
  })
})
