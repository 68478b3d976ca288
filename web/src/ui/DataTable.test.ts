// @vitest-environment happy-dom
import { mount } from '@vue/test-utils'
import { nextTick } from 'vue'
import { createI18n } from 'vue-i18n'
import { describe, expect, it } from 'vitest'

import DataTable from './DataTable.vue'

interface Row { id: string }

const i18n = createI18n({ legacy: false, locale: 'en', messages: { en: {} }, missingWarn: false, fallbackWarn: false })

function tableOf(...ids: string[]) {
  const table = mount(DataTable<Row>, { props: propsOf(ids), global: { plugins: [i18n] } })
  const exposed = table.vm as unknown as { move: (by: number) => Row | undefined; openCursor: () => void }
  return {
    move: exposed.move,
    show: async (...now: string[]) => { await table.setProps(propsOf(now)); await nextTick() },
    opened: () => { exposed.openCursor(); return (table.emitted('open')?.at(-1) as [Row] | undefined)?.[0].id },
  }
}

function propsOf(ids: string[]) {
  const rows = ids.map((id) => ({ id }))
  return { label: 'Rows', columns: [], total: rows.length, row: (index: number) => rows[index], rowId: (row: Row) => row.id }
}

describe('the cursor of a table', () => {
  it('stays with its row while rows come before it and go', async () => {
    const table = tableOf('a', 'b', 'c')
    expect(table.move(2)?.id).toBe('b')
    await table.show('new', 'newer', 'a', 'b', 'c')
    expect(table.opened()).toBe('b')
    await table.show('b', 'c')
    expect(table.opened()).toBe('b')
    expect(table.move(1)?.id).toBe('c')
  })

  it('stays where it is when its row goes', async () => {
    const table = tableOf('a', 'b', 'c')
    table.move(2)
    await table.show('a', 'c')
    expect(table.opened()).toBe('c')
  })

  it('stays within the table', async () => {
    const table = tableOf('a', 'b', 'c')
    table.move(3)
    await table.show('a')
    expect(table.opened()).toBe('a')
  })
})
