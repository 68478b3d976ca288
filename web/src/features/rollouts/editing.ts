import { useQueryCache } from '@pinia/colada'
import { computed, ref, watch, type Ref } from 'vue'

import { ApiError, api, body } from '@/api/client'

import type { Rollout, TaggedRollout } from './queries'
import { problemOf, withBoundary, withoutVariant, withVariant, withWeight, type Variant } from './shares'

/** A rollout while its shares are being changed: nothing is saved until somebody says so, and never over somebody else's change. */
export function useRolloutEditing(promptId: Ref<string | undefined>, stored: Ref<TaggedRollout | undefined>) {
  const cache = useQueryCache()
  const variants = ref<Variant[]>([])
  const salt = ref('')
  const base = ref<TaggedRollout>()
  /** What somebody else saved while shares were being changed here. */
  const conflict = ref<TaggedRollout>()
  const busy = ref(false)

  const saved = computed<Variant[]>(() => base.value?.rollout?.variants ?? [])
  const isOn = computed(() => base.value?.rollout?.enabled ?? false)
  const isDirty = computed(() => variants.value.length > 0 && (JSON.stringify(plain(variants.value)) !== JSON.stringify(plain(saved.value)) || salt.value !== (base.value?.rollout?.salt ?? '')))
  const weights = computed(() => variants.value.map((variant) => variant.weight))
  const problem = computed(() => problemOf(variants.value))

  function take(from: TaggedRollout): void {
    base.value = from
    variants.value = plain(from.rollout?.variants ?? [])
    salt.value = from.rollout?.salt ?? ''
    conflict.value = undefined
  }

  watch(promptId, () => (base.value = undefined))
  watch(
    stored,
    (next) => {
      if (!next) return
      if (!base.value || !isDirty.value) take(next)
      else if (next.tag !== base.value.tag) conflict.value = next
    },
    { immediate: true },
  )

  function setWeights(next: readonly number[]): void {
    variants.value = variants.value.map((variant, index) => ({ ...variant, weight: next[index] ?? 0 }))
  }

  /** Save; `changes` go over what is shown. Throws what is no conflict. */
  async function save(changes: { enabled?: boolean } = {}): Promise<boolean> {
    const shown = isDirty.value || !base.value?.rollout ? { variants: plain(variants.value), salt: salt.value || undefined } : {}
    return put({ ...shown, ...changes })
  }

  /** Set the rollout back to what it was, as an undo does. */
  async function restore(rollout: Rollout): Promise<boolean> {
    return put({ enabled: rollout.enabled, variants: rollout.variants, salt: rollout.salt })
  }

  async function put(change: { enabled?: boolean; variants?: Variant[]; salt?: string }): Promise<boolean> {
    busy.value = true
    try {
      const answer = await api.PUT('/api/prompts/{prompt_id}/rollout', { params: { path: { prompt_id: promptId.value ?? '' }, header: { 'if-match': base.value?.tag } }, body: change })
      take({ rollout: body(answer).data, tag: answer.response.headers.get('etag') ?? '' })
      return true
    } catch (error) {
      if (!isConflict(error)) throw error
      await cache.invalidateQueries({ key: ['prompts', 'tagged-rollout'] })
      conflict.value ??= stored.value
      return false
    } finally {
      busy.value = false
      void cache.invalidateQueries({ key: ['prompts'] })
    }
  }

  /** Forget the rollout: programs get the published version. */
  async function remove(): Promise<void> {
    await api.DELETE('/api/prompts/{prompt_id}/rollout', { params: { path: { prompt_id: promptId.value ?? '' }, header: { 'if-match': base.value?.tag } } })
    take({ rollout: null, tag: '' })
    await cache.invalidateQueries({ key: ['prompts'] })
    if (stored.value) take(stored.value)
  }

  /** Keep what is shown although somebody else saved: it goes over theirs at the next save. */
  function keepMine(): void {
    base.value = conflict.value
    conflict.value = undefined
  }

  return {
    variants, salt, saved, weights, base, isOn, isDirty, problem, conflict, busy, save, restore, remove, keepMine, setWeights,
    setSalt: (next: string) => (salt.value = next),
    begin: (list: Variant[]) => (variants.value = list),
    discard: () => base.value && take(base.value),
    takeTheirs: () => conflict.value && take(conflict.value),
    moveBoundary: (index: number, position: number) => setWeights(withBoundary(weights.value, index, position)),
    setWeight: (index: number, weight: number) => setWeights(withWeight(weights.value, index, weight)),
    addVariant: (version: string) => (variants.value = withVariant(variants.value, version)),
    removeVariant: (index: number) => (variants.value = withoutVariant(variants.value, index)),
  }
}

export type RolloutEditing = ReturnType<typeof useRolloutEditing>

function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409
}

function plain(variants: readonly Variant[]): Variant[] {
  return variants.map(({ name, version, weight }) => ({ name, version, weight }))
}
