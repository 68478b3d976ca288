import type { Provider } from '@/app/providers'

const FREE = ['mock', 'ollama']
const WITH_ADDRESS = ['ollama', 'openai-compatible']

/** For which providers of the steps a run may need a key or an address: stored connections have their own. */
export function credentialsNeeded(names: readonly string[], providers: readonly Provider[]): { key: string[]; address: string[] } {
  const bare = names.filter((name) => !providers.some((one) => one.name === name && one.isStored))
  const keyless = names.filter((name) => providers.some((one) => one.name === name && one.isStored && !one.hasKey && !FREE.includes(one.kind)))
  return { key: [...bare.filter((name) => !FREE.includes(name)), ...keyless], address: bare.filter((name) => WITH_ADDRESS.includes(name)) }
}
