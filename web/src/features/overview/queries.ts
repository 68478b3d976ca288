import { useQuery } from '@pinia/colada'
import { computed, type Ref } from 'vue'

import { api, body, type Schemas } from '@/api/client'
import { useLookAgain } from '@/app/look_again'
import { moment } from '@/app/run_links'

import { todayOf, windowOf, type Range } from './ranges'

export type Stats = Schemas['RunStats']
const HOUR = 3_600_000
const MINUTE = 60_000

/** The user's day by the hour, beside the same day a week ago. */
export function useToday(workspace: Ref<string>, now: Ref<Date>) {
  const today = computed(() => todayOf(now.value))
  const query = useQuery({
    key: () => ['overview', 'today', workspace.value, moment(today.value.midnight)],
    query: async () => {
      const { midnight, tomorrow } = today.value
      return body(await api.GET('/api/runs/stats', { params: { query: { workspace: workspace.value, since: moment(midnight), until: moment(tomorrow), interval: 'hour', compare_days: 7 } } }))
    },
  })
  useLookAgain(() => query.refetch(), MINUTE)
  return query
}

/** The whole hours of today by key, beside those of a week ago; nothing in the first hour of a day. */
export function useWholeHours(workspace: Ref<string>, now: Ref<Date>) {
  const until = computed(() => moment(todayOf(now.value).wholeUntil))
  return useQuery({
    key: () => ['whole-hours', workspace.value, until.value],
    enabled: () => todayOf(now.value).wholeUntil > todayOf(now.value).midnight,
    query: async () => {
      const since = moment(todayOf(now.value).midnight)
      return body(await api.GET('/api/runs/stats', { params: { query: { workspace: workspace.value, since, until: until.value, interval: 'hour', group_by: 'key', rank_by: 'cost', points: false, compare_days: 7 } } }))
    },
  })
}

/** What failed within the last hour, at most the newest 200. */
export function useFailures(workspace: Ref<string>) {
  const query = useQuery({
    key: () => ['overview', 'failures', workspace.value],
    query: async () => {
      const until = Date.now()
      const since = until - HOUR
      const page = body(await api.GET('/api/runs', { params: { query: { workspace: workspace.value, status: 'error', since: moment(since), limit: 200 } } }))
      return { runs: page.data, total: page.total, since, until }
    },
  })
  useLookAgain(() => query.refetch(), MINUTE)
  return query
}

export function useRunning(workspace: Ref<string>) {
  const query = useQuery({
    key: () => ['runs', 'running', workspace.value],
    query: async () => body(await api.GET('/api/runs', { params: { query: { workspace: workspace.value, status: 'running', limit: 6 } } })),
  })
  useLookAgain(() => query.refetch(), MINUTE)
  return query
}

export function useConnectedClients() {
  const query = useQuery({ key: ['clients'], query: async () => body(await api.GET('/api/clients')).data })
  useLookAgain(() => query.refetch(), 5_000)
  return query
}

export function useLatestChanges(workspace: Ref<string>) {
  return useQuery({
    key: () => ['audit', 'latest', workspace.value],
    query: async () => body(await api.GET('/api/audit', { params: { query: { workspace: workspace.value, limit: 10 } } })),
  })
}

export const GROUPINGS = ['provider', 'model', 'key', 'prompt_version'] as const
export type Grouping = (typeof GROUPINGS)[number]
/** What keeps the figures to one group. */
export type GroupFilter = Partial<Record<'provider' | 'model' | 'key' | 'prompt' | 'prompt_env' | 'prompt_version', string>>

/** The figures of a range: of all runs by time, beside the time before. */
export function useFigures(workspace: Ref<string>, range: Ref<Range>, now: Ref<Date>) {
  return useQuery({
    key: () => ['figures', workspace.value, range.value, moment(windowOf(range.value, now.value).until)],
    query: async () => {
      const { since, until, interval, compareDays } = windowOf(range.value, now.value)
      return body(await api.GET('/api/runs/stats', { params: { query: { workspace: workspace.value, since: moment(since), until: moment(until), interval, compare_days: compareDays } } }))
    },
  })
}

/** The same by group, with a coarser line each. */
export function useGroups(workspace: Ref<string>, range: Ref<Range>, by: Ref<Grouping>, rank: Ref<'runs' | 'cost'>, now: Ref<Date>) {
  return useQuery({
    key: () => ['figures', 'groups', workspace.value, range.value, by.value, rank.value, moment(windowOf(range.value, now.value).until)],
    placeholderData: (previous?: Stats) => previous,
    query: async () => {
      const { since, until, groupInterval } = windowOf(range.value, now.value)
      return body(await api.GET('/api/runs/stats', { params: { query: { workspace: workspace.value, since: moment(since), until: moment(until), interval: groupInterval, group_by: by.value, rank_by: rank.value } } }))
    },
  })
}

/** One group by time. */
export function useGroup(workspace: Ref<string>, range: Ref<Range>, filter: Ref<GroupFilter | null>, now: Ref<Date>) {
  return useQuery({
    key: () => ['figures', 'group', workspace.value, range.value, JSON.stringify(filter.value), moment(windowOf(range.value, now.value).until)],
    enabled: () => filter.value !== null,
    query: async () => {
      const { since, until, interval } = windowOf(range.value, now.value)
      return body(await api.GET('/api/runs/stats', { params: { query: { workspace: workspace.value, since: moment(since), until: moment(until), interval, ...filter.value } } }))
    },
  })
}
