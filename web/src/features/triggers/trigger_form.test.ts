import { describe, expect, it } from 'vitest'

import { actionText, bodyOf, fieldsOf, narrowingText, type Trigger } from './trigger_form'

const triggerOf = (fields: Partial<Trigger>) => ({ key: 'announce', on: {}, run: null, deliver: null, ...fields }) as Trigger

describe('the form of a trigger', () => {
  it.each([
    triggerOf({ on: { event: 'prompt.published', key: 'greeting*', env: 'prod' }, run: { workflow: 'announce', variables: { who: '{{event.key}}' } } }),
    triggerOf({ on: { event: 'client.behind', app: 'mailer', seconds: 30 }, deliver: { url: 'https://example.org/hooks' } }),
    triggerOf({ on: { event: 'run.failed', agent: 'helper', tag: 'nightly' }, deliver: { url: 'https://example.org/hooks' } }),
    triggerOf({ on: { webhook: true }, run: { agent: 'helper', version: 2, variables: {} } }),
  ])('sends what the trigger is: %o', (trigger) => {
    const { key, on, run, deliver } = trigger
    expect(bodyOf(fieldsOf(trigger))).toEqual({ key, on, ...(run ? { run } : { deliver }) })
  })

  it('leaves out what narrows another event', () => {
    const fields = { ...fieldsOf(triggerOf({ on: { event: 'prompt.published', key: 'greeting*' }, deliver: { url: 'https://example.org' } })), event: 'run.failed' as const }
    expect(bodyOf({ ...fields, narrowed: { ...fields.narrowed, workflow: 'nightly-*', agent: ' ' } }).on).toEqual({ event: 'run.failed', workflow: 'nightly-*' })
  })

  it('says what narrows the events and what is done', () => {
    expect(narrowingText({ event: 'prompt.published', key: 'greeting*', env: 'prod' })).toBe('key greeting*, env prod')
    expect(actionText(triggerOf({ run: { workflow: 'announce', env: 'prod' } }))).toBe('announce · prod')
    expect(actionText(triggerOf({ deliver: { url: 'https://example.org' } }))).toBe('https://example.org')
  })
})
