import { onScopeDispose, ref, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { api, body } from '@/api/client'

import { documentFrom, type Parsed, type WorkflowDocument } from './document'
import type { Workflow } from './queries'
import { localProblems, type Problem } from './steps'

const CHECK_AFTER_MS = 250

/** What is wrong with the definition: at once what is seen here, shortly after what the platform says. */
export function useProblems(fields: WorkflowDocument, parsed: Ref<Parsed>, workflow: Ref<Workflow | undefined>) {
  const { t } = useI18n()
  const problems = ref<Problem[]>([])
  let timer: number | undefined
  let checks = 0

  function check(): void {
    window.clearTimeout(timer)
    checks++
    const { error } = parsed.value
    if (error) {
      const where = error.kind === 'syntax' ? error.message : error.message === 'document' ? t('workflows.problems.document') : t('workflows.problems.shape', { field: error.message })
      problems.value = [{ step: null, field: null, error: t('workflows.problems.line', { line: error.line, message: where }) }]
      return
    }
    problems.value = local()
    timer = window.setTimeout(() => void ask(checks), CHECK_AFTER_MS)
  }

  function local(): Problem[] {
    return localProblems(fields.steps, (field, value, options) => t('workflows.problems.unknown', { field, value, options }))
  }

  async function ask(check: number): Promise<void> {
    if (!workflow.value) return
    try {
      const answer = await api.POST('/api/workflows/validate', { params: { query: { workspace: workflow.value.workspace_id } }, body: { ...documentFrom(fields) } })
      if (check === checks) problems.value = body(answer).data.map(({ step, field, error }) => ({ step, field, error: shortened(error) }))
    } catch {
      // What is seen here has to do until the platform answers again.
    }
  }

  onScopeDispose(() => window.clearTimeout(timer))
  return { problems, check }
}

/** The problem stands at its step, which the sentence need not name again. */
function shortened(sentence: string): string {
  return sentence.replace(/^step \d+(?: \(.*?\))?: /su, '')
}
