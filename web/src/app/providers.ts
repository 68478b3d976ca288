import { useQuery } from '@pinia/colada'
import { computed, type Ref } from 'vue'

import { api, body } from '@/api/client'

/** A provider that can be named in the workspace: one of the gateway's own, or a stored connection. */
export interface Provider {
  name: string
  /** What it speaks. */
  kind: string
  isStored: boolean
  /** The default model of a connection. */
  model: string
  baseUrl: string
  hasKey: boolean
}

const BUILT_IN = ['mock', 'openai', 'claude', 'gemini', 'ollama', 'openai-compatible']
const MOCK_MODELS = ['mock-1', 'mock-echo', 'mock-slow-2000ms', 'mock-slow-start-500ms', 'mock-tools', 'mock-invalid-json', 'mock-fail-rate-limited', 'mock-fail-authentication-failed', 'mock-fail-overloaded']

/** What may be given as provider and model in a workspace, for lists of choices. */
export function useProviders(workspace: Ref<string>) {
  const connections = useQuery({
    key: () => ['providers', workspace.value],
    query: async () => body(await api.GET('/api/providers', { params: { query: { workspace: workspace.value } } })).data,
  })
  const prices = useQuery({ key: ['prices'], staleTime: 3_600_000, query: async () => body(await api.GET('/api/prices')).data.prices })

  const providers = computed<Provider[]>(() => {
    const stored = (connections.data.value ?? []).map((one): Provider => ({ name: one.name, kind: one.kind, isStored: true, model: one.model, baseUrl: one.base_url ?? '', hasKey: one.has_key }))
    const builtIn = BUILT_IN.filter((name) => !stored.some((one) => one.name === name)).map((name): Provider => ({ name, kind: name, isStored: false, model: '', baseUrl: '', hasKey: false }))
    return [...stored, ...builtIn]
  })

  function find(name: string): Provider | undefined {
    return providers.value.find((one) => one.name === name)
  }

  /** Models of a provider whose prices are priced; others can be named as well. */
  function modelsOf(name: string): string[] {
    const provider = find(name)
    if (provider?.kind === 'mock') return MOCK_MODELS
    const priced = (prices.data.value ?? []).filter((price) => price.provider === provider?.kind && !price.model.includes('*')).map((price) => price.model)
    return [...new Set([...(provider?.model ? [provider.model] : []), ...priced])]
  }

  /** The provider that has a model of that name: a connection that is set to it, or what the name or the table of prices tells. */
  function providerOfModel(model: string): string | undefined {
    const connection = providers.value.find((one) => one.isStored && one.model === model)
    if (connection) return connection.name
    if (model.startsWith('mock-')) return providers.value.find((one) => one.kind === 'mock')?.name
    const fits = (pattern: string) => (pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern)
    const kind = prices.data.value?.find((price) => price.provider !== 'mock' && price.provider !== 'ollama' && fits(price.model))?.provider
    return providers.value.find((one) => one.kind === kind)?.name
  }

  return { providers, find, modelsOf, providerOfModel, prices: prices.data, isPending: computed(() => connections.isPending.value || prices.isPending.value) }
}
