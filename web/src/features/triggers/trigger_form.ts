import type { Schemas } from '@/api/client'
import { targetFields, targetOf, targetText, type Target, type TargetFields } from '@/app/definition_runs/target'

export type Trigger = Schemas['Trigger']
export type Delivery = Schemas['Delivery']

export const EVENTS = ['prompt.published', 'prompt.updated', 'prompt.rolled_back', 'rollout.changed', 'run.completed', 'run.failed', 'client.behind', 'connection.failing', 'webhook'] as const
export type EventName = (typeof EVENTS)[number]
export type Narrowing = 'key' | 'env' | 'workflow' | 'agent' | 'tag' | 'app' | 'seconds' | 'connection' | 'failures'

/** By what the events can be narrowed. */
const NARROWING: Record<string, readonly Narrowing[]> = { prompt: ['key', 'env'], rollout: ['key', 'env'], run: ['workflow', 'agent', 'tag'], client: ['app', 'seconds'], connection: ['connection', 'failures'], webhook: [] }
const NUMBERS: readonly Narrowing[] = ['seconds', 'failures']

export interface TriggerFields {
  key: string
  event: EventName
  narrowed: Partial<Record<Narrowing, string>>
  action: 'run' | 'deliver'
  target: TargetFields
  url: string
}

export function narrowingOf(event: string): readonly Narrowing[] {
  return NARROWING[event.split('.')[0] ?? ''] ?? []
}

/** The name of the event that the trigger waits for. */
export function eventOf(on: Record<string, unknown>): EventName {
  return EVENTS.find((name) => name === on.event) ?? 'webhook'
}

export function fieldsOf(trigger?: Trigger): TriggerFields {
  const event = trigger ? eventOf(trigger.on) : 'prompt.published'
  const narrowed = Object.fromEntries(narrowingOf(event).flatMap((name) => (trigger?.on[name] == null ? [] : [[name, String(trigger.on[name])]])))
  return { key: trigger?.key ?? '', event, narrowed, action: trigger?.deliver ? 'deliver' : 'run', target: targetFields(trigger?.run as Target | null), url: String(trigger?.deliver?.url ?? '') }
}

/** What is sent; an empty field narrows nothing. */
export function bodyOf({ key, event, narrowed, action, target, url }: TriggerFields): Schemas['TriggerCreate'] {
  const filled = narrowingOf(event).flatMap((name) => (narrowed[name]?.trim() ? [[name, NUMBERS.includes(name) ? Number(narrowed[name]) : narrowed[name]]] : []))
  const on = event === 'webhook' ? { webhook: true } : { event, ...Object.fromEntries(filled) }
  return { key, on, ...(action === 'run' ? { run: targetOf(target) } : { deliver: { url } }) } as Schemas['TriggerCreate']
}

/** `key greeting*, env prod`: what narrows the events. */
export function narrowingText(on: Record<string, unknown>): string {
  return narrowingOf(eventOf(on)).flatMap((name) => (on[name] == null ? [] : [`${name} ${String(on[name])}`])).join(', ')
}

/** What the trigger does, in a few words. */
export function actionText(trigger: Trigger): string {
  return trigger.run ? targetText(trigger.run as Target) : String(trigger.deliver?.url ?? '')
}

/** An environment of the shell that sends a signed message to an inbound webhook. */
export function signedRequest(url: string, secret: string): string {
  return [
    `SECRET='${secret}'`,
    'BODY=\'{"hello": "world"}\'',
    'ID="msg_$(date +%s)" AT="$(date +%s)"',
    'KEY=$(printf %s "${SECRET#whsec_}" | base64 -d | od -An -vtx1 | tr -d " \\n")',
    'SIGNATURE=$(printf %s "$ID.$AT.$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | base64)',
    `curl -s '${url}' -H "webhook-id: $ID" -H "webhook-timestamp: $AT" -H "webhook-signature: v1,$SIGNATURE" -H 'content-type: application/json' -d "$BODY"`,
  ].join('\n')
}
