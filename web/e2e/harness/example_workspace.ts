import { expect } from '@playwright/test'

import { untilRunsStart, type Api } from './api.ts'
import { unique } from './test.ts'

export interface ExampleWorkspace { slug: string; prompt: string; agent: string; workflow: string; run: string; schedule: string }

/** A workspace with something of each kind, also long and unusual texts. */
export async function exampleWorkspace(api: Api): Promise<ExampleWorkspace> {
  const { slug } = await api.post<{ slug: string }>('/api/workspaces', { name: unique('Support team'), slug: unique('support') })
  const post = <T>(path: string, body: unknown) => api.post<T>(`${path}?workspace=${slug}`, body)
  const prompt = await post<{ id: string; key: string }>('/api/prompts', { key: 'support.triage', env: 'prod', name: 'Triage of tickets', category: 'support', tags: 'chat,urgent', model: 'mock-small', content: 'Sort this ticket of {{customer}}:\n\n{{ticket}}' })
  for (const note of ['first', 'shorter', 'asks for the order number']) {
    await api.put(`/api/prompts/${prompt.id}`, { content: `Sort this ticket of {{customer}} (${note}):\n\n{{ticket}}` })
    await api.post('/api/prompts/publish', { id: prompt.id, note })
  }
  await post('/api/prompts', { key: 'support.triage', env: 'dev', content: 'Sort this ticket of {{customer}} by urgency:\n\n{{ticket}}' })
  await post('/api/prompts', { key: `checkout.${'a-very-long-name-'.repeat(8)}end`, env: 'dev', name: 'مرحبا بالعالم', content: 'x' })
  await post('/api/prompts', { key: 'support.reply', env: 'prod', kind: 'chat', messages: [{ role: 'system', content: 'You help customers of {{shop}}.' }, { role: 'user', content: '{{question}}' }] })
  await api.put(`/api/prompts/${prompt.id}/rollout`, { enabled: true, variants: [{ name: 'before', version: 'v2', weight: 7000 }, { name: 'shorter', version: 'v3', weight: 3000 }] })
  const agent = await post<{ id: string }>('/api/agents', { key: 'helper', name: 'Helper', provider: 'mock', model: 'mock-small', prompt: 'Help {{customer}}.' })
  const workflow = await post<{ id: string }>('/api/workflows', {
    key: 'welcome',
    steps: [
      { name: 'greet', type: 'render', template: 'Write a welcome for {{who}}.' },
      { name: 'call', type: 'model', provider: 'mock' },
      { name: 'shout', type: 'transform', op: 'upper' },
    ],
  })
  await post('/api/schedules', { key: 'hourly-check', workflow: 'welcome', interval_seconds: 5_400, variables: { who: 'Ada' }, paused: true })
  const schedule = await post<{ id: string }>('/api/schedules', { key: 'nightly-report', workflow: 'welcome', cron: '0 3 * * mon-fri', timezone: 'Europe/Berlin', variables: { who: 'Ada' } })
  await untilRunsStart(api)
  await api.post(`/api/agents/${agent.id}/run`, { variables: { customer: 'Ada' }, input: 'Where is my order?' })
  await api.post(`/api/workflows/${workflow.id}/run`, { variables: { who: 'Ada' } })
  const runs = await api.get<{ id: string; status: string }[]>(`/api/runs?workspace=${slug}&limit=10`)
  expect(runs.length).toBe(2)
  return { slug, prompt: prompt.key, agent: 'helper', workflow: 'welcome', run: (runs[0] as { id: string }).id, schedule: schedule.id }
}
