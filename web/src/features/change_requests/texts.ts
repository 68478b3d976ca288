import { bodyText } from '@/app/prompt_text'

import type { ChangeRequest, ChangeRequestDetail } from './queries'

type Side = ChangeRequestDetail['before']
type Translate = (key: string, values: Record<string, unknown>) => string

/** `v3`: prompts have labels, agents and workflows numbers. */
export function labelOf(kind: string, version: string | null): string {
  if (version === null) return ''
  return kind === 'prompt' ? version : `v${version}`
}

/** The change in a sentence. */
export function sentenceOf(request: ChangeRequest, t: Translate): string {
  const version = labelOf(request.kind, request.after_version) || t('change_requests.draft', {})
  return t(`change_requests.sentence.${request.action}`, { key: request.key, version, kind: t(`change_requests.kind.${request.kind}`, {}) })
}

/** All that the environment serves, as one text for a difference: the rollout, then the contents. */
export function servedText(kind: string, side: Side): string {
  return [rolloutText(side.rollout), contentText(kind, side.content)].filter(Boolean).join('\n\n')
}

function contentText(kind: string, content: Side['content']): string {
  if (content === null) return ''
  return kind === 'prompt' ? bodyText(content as unknown as Parameters<typeof bodyText>[0]) : JSON.stringify(content, null, 2)
}

interface Rollout {
  enabled: boolean
  variants: readonly { name: string; version: string; weight: number }[]
}

/** `rollout: A v1 90 %, B v2 10 %`; nothing where none is on. */
function rolloutText(stored: Side['rollout']): string {
  const rollout = stored as unknown as Rollout | null
  if (!rollout?.enabled) return ''
  return ['rollout:', ...rollout.variants.map(({ name, version, weight }) => `  ${name}  ${version}  ${(weight / 100).toFixed(2)} %`)].join('\n')
}
