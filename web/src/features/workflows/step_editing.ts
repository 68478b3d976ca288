import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { linksOf } from '@/app/step_graph'
import { notify } from '@/ui/toasts'

import type { Draft } from './draft'
import { closesCircle, connect, disconnect, insertAfter, insertBeside, putBack, remove } from './graph_edits'
import { newStep, textOf, textsOf, type Step, type StepType } from './steps'

/** Changes of the graph, each with its way back. `selected` is the place of a step, -1 for none. */
export function useStepEditing(draft: Draft, selected: Ref<number>, locked: Ref<boolean>) {
  const { t } = useI18n()
  const steps = computed(() => draft.fields.steps)
  const links = computed(() => linksOf(steps.value))
  const nameOf = (index: number) => textOf(steps.value[index] ?? {}, 'name') || t('workflows.steps.unnamed', { index: index + 1 })

  /** A new step after the selected one, or between the steps of a link. */
  function add(type: StepType, between?: { from: number; to: number }): void {
    const { steps: next, index } = insertAfter(steps.value, newStep(type, steps.value), between?.from ?? selected.value, between?.to)
    draft.setSteps(next)
    selected.value = index
  }

  /** A new step that runs at the same time as the selected one. */
  function addBeside(type: StepType): void {
    const { steps: next, index } = insertBeside(steps.value, newStep(type, steps.value), selected.value)
    draft.setSteps(next)
    selected.value = index
  }

  function removeStep(index: number): void {
    if (locked.value || !steps.value[index]) return
    const before = [...steps.value]
    const sentence = t('workflows.steps.removed', { name: nameOf(index) })
    draft.setSteps(remove(before, index))
    selected.value = Math.min(index, steps.value.length - 1)
    notify(sentence, { label: t('ui.undo'), run: () => { draft.setSteps(putBack(steps.value, before, index)); selected.value = Math.min(index, steps.value.length - 1) } })
  }

  function link(from: number, to: number): void {
    if (closesCircle(steps.value, from, to)) notify(t('workflows.graph.circle', { from: nameOf(from), to: nameOf(to) }))
    else draft.setSteps(connect(steps.value, from, to))
  }

  function unlink(from: number, to: number): void {
    const [upper, lower] = [draft.ids.value[from], draft.ids.value[to]]
    const side = links.value.find((one) => one.from === from && one.to === to)?.side
    const sentence = t('workflows.graph.unlinked', { from: nameOf(from), to: nameOf(to) })
    draft.setSteps(disconnect(steps.value, from, to))
    notify(sentence, { label: t('ui.undo'), run: () => relink(draft.ids.value.findIndex((id) => id === upper), draft.ids.value.findIndex((id) => id === lower), side) })
  }

  function relink(from: number, to: number, side?: 'then' | 'else'): void {
    if (from < 0 || to < 0) return
    link(from, to)
    if (side) draft.setField(from, side, [...textsOf(steps.value[from]?.[side]), textOf(steps.value[to] as Step, 'name')])
  }

  return { links, nameOf, add, addBeside, removeStep, link, unlink }
}

export type StepEditing = ReturnType<typeof useStepEditing>
