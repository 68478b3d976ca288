import { useQuery } from '@pinia/colada'
import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { api, body, type Schemas } from '@/api/client'
import type { Facet } from '@/ui/Facets.vue'

import { RANGES, type Range } from './strip'
import { versionLabel } from './version'

type Series = Schemas['StatsSeries']

/** How many runs each group of a series has, the largest first; what is not named is left out. */
export function countsOf(series: readonly Series[], valueOf: (one: Series) => string | null | undefined = ({ group }) => group): { value: string; count: number }[] {
  return series
    .map((one) => ({ value: valueOf(one) ?? '', count: one.points.reduce((sum, point) => sum + point.total, 0) }))
    .filter(({ value }) => value !== '')
    // A model that only inner steps called has no run that ended with it.
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count)
}

/** Versions as the search takes them: their groups are named with the key. */
export function versionsOf(series: readonly Series[]): { value: string; label: string; count: number }[] {
  return countsOf(series, ({ definition }) => definition?.version).map((one) => ({ ...one, label: versionLabel(one.value) }))
}

type State = Schemas['Run']['state']
const STATES: readonly State[] = ['queued', 'running', 'waiting', 'completed', 'failed', 'timed_out', 'cancelled', 'crashed']
const MOST_COUNTED = 200

/** The runs that have not ended, by their states; of very many, the newest. */
export function useUnderWay(workspace: Ref<string>) {
  const query = useQuery({
    key: () => ['runs', 'under-way', workspace.value],
    query: async () => body(await api.GET('/api/runs', { params: { query: { workspace: workspace.value, status: 'running', limit: MOST_COUNTED } } })),
  })
  const counts = computed(() => {
    const byState = new Map<string, number>()
    for (const { state } of query.data.value?.data ?? []) byState.set(state, (byState.get(state) ?? 0) + 1)
    return byState
  })
  return { counts, total: computed(() => query.data.value?.total ?? 0) }
}

/** Counts of the runs in the strip's time, by what the statistics know. */
export function useFacets(workspace: Ref<string>, range: Ref<Range>, filters: Ref<Record<string, string>>, underWay: Ref<ReadonlyMap<string, number>>) {
  const { t } = useI18n()
  const query = useQuery({
    key: () => ['run-strip', 'facets', workspace.value, range.value, JSON.stringify(filters.value)],
    placeholderData: (previous?: Stats) => previous,
    query: async (): Promise<Stats> => {
      const { source, key, version, provider, model, state } = filters.value
      const since = new Date(Date.now() - RANGES[range.value]).toISOString()
      const interval = range.value === '7d' ? ('day' as const) : ('hour' as const)
      const ask = async (group_by: 'key' | 'version' | 'provider' | 'model' | 'state', without: object) =>
        body(await api.GET('/api/runs/stats', { params: { query: { workspace: workspace.value, since, interval, group_by, source, key, version, provider, model, state: ended(state), points: true, ...without } } })).series
      const [byState, byKey, byVersion, byProvider, byModel] = await Promise.all([
        ask('state', { state: undefined }), ask('key', { key: undefined, version: undefined }), key ? ask('version', { version: undefined }) : [], ask('provider', { provider: undefined }), ask('model', { model: undefined }),
      ])
      return { byState, byKey, byVersion, byProvider, byModel }
    },
  })
  return computed<Facet[]>(() => {
    const stats = query.data.value
    if (!stats) return []
    const counts = new Map([...countsOf(stats.byState).map(({ value, count }) => [value, count] as const), ...underWay.value])
    return [
      { name: 'state', label: t('runs.status'), values: STATES.filter((state) => counts.get(state)).map((state) => ({ value: state, label: t(`definition_runs.states.${state}`), count: counts.get(state) ?? 0 })) },
      { name: 'key', label: t('runs.key'), values: countsOf(stats.byKey) },
      { name: 'version', label: t('runs.version'), values: versionsOf(stats.byVersion) },
      { name: 'provider', label: t('runs.endedWith'), values: countsOf(stats.byProvider) },
      { name: 'model', label: t('runs.model'), values: countsOf(stats.byModel) },
    ].filter((facet) => facet.values.length)
  })
}

type Stats = Record<'byState' | 'byKey' | 'byVersion' | 'byProvider' | 'byModel', readonly Series[]>

/** Statistics are of runs that have ended. */
function ended(state: string | undefined): State | undefined {
  return STATES.slice(3).find((one) => one === state)
}
