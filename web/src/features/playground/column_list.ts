import { computed, ref, watch } from 'vue'

import { useProviders } from '@/app/providers'
import { useUrlState } from '@/app/url_state'
import { variablesToSend } from '@/app/variable_values'

import { ColumnRun, newRun } from './column_run'
import { DRAFT, EDITED, MOST_COLUMNS, decodeColumns, encodeColumns, newColumn, type Column } from './columns'
import { runRequest, type PlaygroundRun } from './run_request'
import type { Source } from './source'
import { inputsOf } from './working_text'

const REMEMBERED = 'promptops.playground.model'

/** The columns of the page, kept in the address, each with its run. */
export function useColumnList(source: Source) {
  const providers = useProviders(source.slug)
  const encoded = useUrlState('columns')
  /** The version that a link from elsewhere names, for the first column. */
  const linked = useUrlState('version')
  const columns = ref<Column[]>([])
  const runs = new Map<number, ColumnRun>()
  const isReady = computed(() => source.isReady.value && !providers.isPending.value)

  watch(isReady, (ready) => {
    if (!ready || columns.value.length) return
    const stored = decodeColumns(encoded.value)
    columns.value = stored.length ? stored.map((choice) => newColumn(choice)) : [newColumn({ version: linked.value || source.served.value, parameters: {}, ...startModel() })]
  }, { immediate: true })
  watch(columns, (now) => {
    if (!now.length) return
    const next = encodeColumns(now)
    if (next !== encoded.value) encoded.value = next
    const last = now.at(-1) as Column
    localStorage.setItem(REMEMBERED, JSON.stringify({ provider: last.provider, model: last.model }))
  }, { deep: true })
  // What is typed is asked by the columns that had the draft, and by them only until it is as before.
  watch(source.isEdited, (isEdited) => {
    if (!source.prompt.value) return
    for (const column of columns.value) {
      if (isEdited && source.versionOf(column) === DRAFT) column.version = EDITED
      else if (!isEdited && column.version === EDITED) column.version = DRAFT
    }
  })

  /** The prompt's own model first; a prompt without one starts with what was asked last. */
  function startModel(): { provider: string; model: string } {
    const model = source.prompt.value?.model ?? ''
    const last = lastModel()
    if (!model) return last
    return { provider: providers.providerOfModel(model) ?? last.provider, model }
  }

  function lastModel(): { provider: string; model: string } {
    try {
      const last = JSON.parse(localStorage.getItem(REMEMBERED) ?? '') as { provider: string; model: string }
      if (providers.find(last.provider)) return { provider: last.provider, model: String(last.model) }
    } catch {
      // Nothing is remembered yet.
    }
    return { provider: 'mock', model: '' }
  }

  function runOf(column: Column): ColumnRun {
    const run = runs.get(column.id)
    if (run) return run
    const created = newRun()
    runs.set(column.id, created)
    return created
  }

  function add(from?: Column): void {
    const last = from ?? columns.value.at(-1)
    if (last && columns.value.length < MOST_COLUMNS) columns.value.push(newColumn(last, last))
  }

  function remove(column: Column): void {
    runOf(column).stop()
    runs.delete(column.id)
    columns.value = columns.value.filter((one) => one.id !== column.id)
  }

  function move(column: Column, by: number): void {
    const list = [...columns.value]
    const from = list.findIndex((one) => one.id === column.id)
    if (from + by < 0 || from + by >= list.length) return
    list.splice(from + by, 0, ...list.splice(from, 1))
    columns.value = list
  }

  function requestOf(column: Column): PlaygroundRun {
    const version = source.versionOf(column)
    return runRequest({ ...column, version }, { promptId: source.prompt.value?.id, workspace: source.slug.value, text: source.text.value, variables: asked(version).variables })
  }

  /** The name of an input of a column that is no list of messages, where it has to be one; empty where all are fine. */
  function problemOf(column: Column): string {
    return asked(source.versionOf(column)).problem
  }

  /** The values of that text only: what another text has must not stand in this run. */
  function asked(version: string) {
    return variablesToSend(inputsOf(source.textFor(version)), source.variables)
  }

  function start(column: Column): void {
    void runOf(column).start(requestOf(column))
  }

  const active = computed(() => columns.value.filter((column) => runOf(column).isActive).length)
  const startAll = () => columns.value.forEach(start)
  const stopAll = () => columns.value.forEach((column) => runOf(column).stop())

  return { columns, providers, isReady, runOf, add, remove, move, requestOf, problemOf, start, startAll, stopAll, active }
}

export type ColumnList = ReturnType<typeof useColumnList>
