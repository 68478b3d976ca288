import { expect, expectAccessible, test, unique } from './harness/test.ts'

test('the rollout compares calls, errors, cost and latency of its variants, live, and leads to their runs', async ({ page, api, workspace, logIn }) => {
  await logIn('editor')
  const prompt = await api.post<{ id: string; key: string }>(`/api/prompts?workspace=${workspace}`, { key: unique('compare'), env: 'prod', content: 'Say one' })
  await api.post('/api/prompts/publish', { id: prompt.id })
  await api.put(`/api/prompts/${prompt.id}`, { content: 'Say two' })
  await api.post('/api/prompts/publish', { id: prompt.id })
  await api.put(`/api/prompts/${prompt.id}/rollout`, { enabled: true, variants: [{ name: 'before', version: 'v1', weight: 5000 }, { name: 'after', version: 'v2', weight: 5000 }] })
  const run = (version: string, model: string) => api.request('POST', '/api/playground/run', { id: prompt.id, version, provider: 'mock', model, workspace })
  await run('v1', 'mock-small')
  await run('v1', 'mock-fail-rate-limited')

  await page.goto(`/w/${workspace}/prompts/${prompt.key}/rollout?env=prod`)
  const figures = page.getByRole('region', { name: 'Figures' })
  const row = (name: string) => figures.getByRole('row').filter({ hasText: name })
  await expect(row('before')).toContainText('1 (50.0 %)')
  await expect(row('before').getByRole('link', { name: 'Runs of before' })).toHaveText('2')
  await expect(row('after').getByRole('link')).toHaveCount(0)
  await expectAccessible(page)

  await run('v2', 'mock-small')
  await expect(row('after').getByRole('link', { name: 'Runs of after' })).toHaveText('1')
  await figures.getByText('24 hours', { exact: true }).click()
  await expect(page).toHaveURL(/days=1\b/)
  await row('before').getByRole('link').click()
  await expect(page).toHaveURL(/\/runs\?/)
  await expect(page.getByRole('row').filter({ hasText: 'mock' })).toHaveCount(2)
})
