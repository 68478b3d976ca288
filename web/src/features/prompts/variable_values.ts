import { reactive, watch } from 'vue'

/** What was filled in for a prompt's variables, kept in this browser while the prompt is edited. */
export function useVariableValues(promptId: () => string): Record<string, string> {
  const key = () => `promptops.values.${promptId()}`
  const record = reactive<Record<string, string>>({})
  watch(
    key,
    (now) => {
      for (const name of Object.keys(record)) delete record[name]
      Object.assign(record, read(now))
    },
    { immediate: true, flush: 'sync' },
  )
  watch(record, (now) => {
    const filled = Object.fromEntries(Object.entries(now).filter(([, value]) => value))
    if (Object.keys(filled).length) localStorage.setItem(key(), JSON.stringify(filled))
    else localStorage.removeItem(key())
  })
  return record
}

function read(key: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? '{}')
    return typeof value === 'object' && value !== null ? (value as Record<string, string>) : {}
  } catch {
    return {}
  }
}
