import { useQuery } from '@pinia/colada'

import { api, body, type Schemas } from '@/api/client'

type Finding = Schemas['SystemFinding']
const ORDER = { problem: 0, warning: 1, ok: 2 } as const

/** What needs somebody first; within a level as the doctor has them, where one part needs the other. */
export function byLevel(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => ORDER[a.level] - ORDER[b.level])
}

export function useFindings() {
  return useQuery({ key: ['system', 'findings'], query: async () => body(await api.GET('/api/system/findings')).data })
}
