import { useQueryCache } from '@pinia/colada'
import { computed, onScopeDispose, reactive, ref, watch, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { ApiError, api, body, type Schemas } from '@/api/client'

import { SETTINGS, UNSET, documentFrom, keptIds, parseYaml, toYaml, type Parsed, type Setting, type TextField, type WorkflowDocument } from './document'
import { rename, renamedIn } from './graph_edits'
import { useProblems } from './problems'
import type { Workflow } from './queries'
import { newStep, type Step, type StepType } from './steps'
import { warningsOf } from './warnings'

/** What was not saved when its page was left, by workflow: it is there again when the page is opened. */
const unsaved = new Map<string, { from: Workflow; text: string }>()

/** The definition as it is being edited: graph, cards and YAML are views of it. */
export function useDraft(workflow: Ref<Workflow | undefined>) {
  const { t } = useI18n()
  const cache = useQueryCache()
  const fields = reactive<WorkflowDocument>({ name: '', description: '', tags: '', steps: [] })
  /** A number for each step, which it keeps when it is moved or edited. */
  const ids = ref<number[]>([])
  const text = ref('')
  const parsed = ref<Parsed>({ lines: [] })
  const base = ref<Workflow>()
  const conflict = ref<Workflow>()
  const saving = ref(false)
  /** Of the last save; a step is named by its number of `ids`, so that its warning moves with it. */
  const saved = ref<{ id: number | null; text: string }[]>([])
  const error = ref('')
  let nextId = 1

  const isDirty = computed(() => base.value !== undefined && (JSON.stringify(documentFrom(fields)) !== JSON.stringify(documentOf(base.value)) || parsed.value.error !== undefined))
  const { problems, check } = useProblems(fields, parsed, base)
  /** Those whose step is still there, and was not edited since. */
  const warnings = computed(() => saved.value.flatMap(({ id, text: sentence }) => {
    const step = id === null ? null : ids.value.indexOf(id)
    return step !== null && !isAsSaved(step) ? [] : [{ step, text: sentence }]
  }))

  function isAsSaved(step: number): boolean {
    return step >= 0 && !!base.value?.steps.some((one) => JSON.stringify(one) === JSON.stringify(fields.steps[step]))
  }

  function take(from: Workflow): void {
    if (from.revision !== base.value?.revision) saved.value = []
    base.value = from
    conflict.value = undefined
    error.value = ''
    put(documentOf(from))
    write()
  }

  /** Let the fields be those of the document. */
  function put(document: WorkflowDocument): void {
    ids.value = keptIds(fields.steps, ids.value, document.steps, () => nextId++)
    for (const name of SETTINGS) if (!(name in document)) delete fields[name]
    Object.assign(fields, document)
  }

  /** The fields have changed: the text follows. */
  function write(): void {
    text.value = toYaml(plain(documentFrom(fields)))
    parsed.value = parseYaml(text.value)
    check()
  }

  /** The text has changed: the fields follow, as soon as it can be read. */
  function edit(next: string): void {
    if (next === text.value) return
    text.value = next
    parsed.value = parseYaml(next)
    const { document } = parsed.value
    if (document) put(document)
    check()
  }

  function setText(field: TextField, value: string): void {
    fields[field] = value
    write()
  }

  function setSetting(field: Setting, value: unknown): void {
    if (value === undefined) delete fields[field]
    else fields[field] = value
    write()
  }

  /** These steps instead of those that there are. */
  function setSteps(steps: Step[]): void {
    put({ ...documentFrom(fields), steps: plain(steps) })
    write()
  }

  function setField(index: number, field: string, value: unknown): void {
    const step = fields.steps[index]
    if (!step) return
    if (value === undefined) delete step[field]
    else step[field] = value
    write()
  }

  /** The references of other steps follow the name. */
  function setName(index: number, name: string): void {
    const old = String(fields.steps[index]?.name ?? '')
    const isFree = old !== '' && name !== '' && !fields.steps.some((step) => step.name === name)
    setSteps(rename(fields.steps, index, name))
    if (isFree && typeof fields.output === 'string') setSetting('output', fields.output === old ? name : renamedIn(fields.output, old, name))
  }

  /** Another type keeps the name and what a step of every type may have. */
  function setType(index: number, type: StepType): void {
    const step = fields.steps[index]
    if (!step || step.type === type) return
    const kept = Object.fromEntries(OPTIONS.filter((name) => name in step).map((name) => [name, step[name]]))
    fields.steps[index] = { ...newStep(type, fields.steps), name: step.name ?? '', ...kept }
    write()
  }

  function add(type: StepType, at: number): number {
    return insert(newStep(type, fields.steps), at)
  }

  function insert(step: Step, at: number): number {
    fields.steps.splice(at, 0, step)
    ids.value.splice(at, 0, nextId++)
    write()
    return at
  }

  /** Where the step is afterwards. */
  function move(from: number, to: number): number {
    const target = Math.max(0, Math.min(to, fields.steps.length - 1))
    if (target === from) return from
    fields.steps.splice(target, 0, ...fields.steps.splice(from, 1))
    ids.value.splice(target, 0, ...ids.value.splice(from, 1))
    write()
    return target
  }

  watch(
    workflow,
    (next) => {
      if (!next) return
      const left = base.value ? undefined : unsaved.get(next.id)
      unsaved.delete(next.id)
      if (next.id !== base.value?.id || !isDirty.value) take(left?.from ?? next)
      if (left) edit(left.text)
      if (!base.value || !isDirty.value) take(next)
      else if (next.updated_at !== base.value.updated_at && JSON.stringify(documentOf(next)) !== JSON.stringify(documentOf(base.value))) conflict.value = next
    },
    { immediate: true },
  )
  const warn = (event: BeforeUnloadEvent) => { if (isDirty.value) event.preventDefault() }
  window.addEventListener('beforeunload', warn)
  onScopeDispose(() => {
    window.removeEventListener('beforeunload', warn)
    if (base.value && isDirty.value) unsaved.set(base.value.id, { from: base.value, text: text.value })
  })

  /** Whether everything is saved. */
  async function save(): Promise<boolean> {
    const from = base.value
    if (!from || saving.value || parsed.value.error || conflict.value) return false
    saving.value = true
    error.value = ''
    try {
      const answer = await api.PUT('/api/workflows/{workflow_id}', { params: { path: { workflow_id: from.id } }, body: { ...editOf(fields, from), if_version: from.version } })
      base.value = body(answer).data
      saved.value = warningsOf(body(answer).warnings).map(({ step, text: sentence }) => ({ id: step === null ? null : (ids.value[step] ?? null), text: sentence }))
      void cache.invalidateQueries({ key: ['workflows'] })
      return true
    } catch (failure) {
      const current = failure instanceof ApiError && failure.status === 409 ? (failure.body.current as Workflow | undefined) : undefined
      if (current) conflict.value = current
      else error.value = failure instanceof ApiError && failure.unreachable ? t('ui.unreachable') : (failure as Error).message
      return false
    } finally {
      saving.value = false
    }
  }

  /** Settle a conflict with this document on top of what is stored now, and save it. */
  async function resolve(merged: WorkflowDocument): Promise<boolean> {
    keepEditing()
    put(plain(merged))
    write()
    return save()
  }

  /** What was typed stays; it is now an edit of what somebody else saved. */
  function keepEditing(): void {
    if (conflict.value) base.value = conflict.value
    conflict.value = undefined
  }

  return { fields, ids, text, parsed, base, conflict, saving, error, isDirty, problems, warnings, take, edit, setText, setSetting, setSteps, setField, setName, setType, add, insert, move, save, resolve, keepEditing }
}

export type Draft = ReturnType<typeof useDraft>

/** What a step of every type may have. */
const OPTIONS = ['needs', 'retries', 'timeout', 'continue_on_error', 'default', 'cache', 'concurrency']

export function documentOf(workflow: Workflow): WorkflowDocument {
  return plain(documentFrom(workflow as unknown as Partial<WorkflowDocument>))
}

/** All fields; a setting that the stored one has and the document has not is taken away. */
function editOf(fields: WorkflowDocument, from: Workflow): Schemas['WorkflowEdit'] {
  const stored = documentOf(from)
  const removed = SETTINGS.filter((name) => name in stored && !(name in fields)).map((name) => [name, UNSET[name]])
  return { ...plain(documentFrom(fields)), ...Object.fromEntries(removed) } as Schemas['WorkflowEdit']
}

function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}
