import { isTextMessage } from '@/app/chat'

import { vendorOf, vendorParameters, type SnippetInput, type Vendor } from './input'

// Arguments of the vendors' functions; everything else is refused unless it stands in `extra_body`.
const ARGUMENTS = ['temperature', 'top_p', 'max_tokens', 'max_completion_tokens', 'seed', 'stop', 'stop_sequences']

/** The SDK's `render_messages` and the vendor's own package. */
export function pythonSnippet(input: SnippetInput): string {
  const vendor = vendorOf(input.kind, input.baseUrl)
  const lines = [...imports(input, vendor), '', ...messages(input), '', ...call(input, vendor)]
  return `${lines.join('\n')}\n`
}

function imports(input: SnippetInput, vendor: Vendor): string[] {
  const names = input.prompt ? 'PromptOpsClient' : 'render_template'
  const needsOs = input.prompt !== null || (vendor.sdk !== null && vendor.keyVariable !== '')
  const sdk = { openai: ['from openai import OpenAI'], anthropic: ['from anthropic import Anthropic'] }
  return [...(needsOs ? ['import os', ''] : []), ...(vendor.sdk ? sdk[vendor.sdk] : []), `from promptops import ${names}`]
}

function messages(input: SnippetInput): string[] {
  const variables = `variables = ${literal(input.variables)}`
  if (!input.prompt) {
    const list = input.messages.map((message) => (isTextMessage(message) ? `    {"role": ${literal(message.role)}, "content": render_template(${literal(message.content)}, variables)},` : `    ${literal(message)},`))
    return [variables, 'messages = [', ...list, ']']
  }
  const workspace = input.workspace ? [`    workspace=${literal(input.workspace)},`] : []
  return [
    variables,
    ...(input.unserved ? [`# Programs get what ${input.prompt.env} serves; the playground asked ${input.unserved}.`] : []),
    'with PromptOpsClient(',
    `    ${literal(input.server)}, namespace=${literal(input.prompt.env)}, token=os.environ["PROMPTOPS_TOKEN"], app_name="my-app",`,
    ...workspace,
    ') as prompts:',
    `    messages = prompts.render_messages(${literal(input.prompt.key)}, variables)`,
  ]
}

function call(input: SnippetInput, vendor: Vendor): string[] {
  if (!vendor.sdk) return ['print(messages)  # The mock of PromptOps has no server of its own to call.']
  const key = vendor.keyVariable ? `os.environ[${literal(vendor.keyVariable)}]` : '"none"'
  const options = [`api_key=${key}`, ...(vendor.baseUrl ? [`base_url=${literal(vendor.baseUrl)}`] : [])].join(', ')
  const all = vendorParameters(input, vendor)
  const own = all.filter(([name]) => !ARGUMENTS.includes(name))
  const parameters = [
    ...all.filter(([name]) => ARGUMENTS.includes(name)).map(([name, value]) => `    ${name}=${literal(value)},`),
    ...(own.length ? [`    extra_body=${literal(Object.fromEntries(own))},`] : []),
  ]
  if (vendor.sdk === 'openai') {
    return [`model = OpenAI(${options})`, 'answer = model.chat.completions.create(', `    model=${literal(input.model)},`, '    messages=messages,', ...parameters, ')', 'print(answer.choices[0].message.content)']
  }
  return [
    `model = Anthropic(${options})`,
    'answer = model.messages.create(',
    `    model=${literal(input.model)},`,
    '    system="\\n\\n".join(message["content"] for message in messages if message["role"] == "system"),',
    '    messages=[message for message in messages if message["role"] != "system"],',
    ...parameters,
    ')',
    'print("".join(block.text for block in answer.content if block.type == "text"))',
  ]
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value === 'object') return `{${Object.entries(value).map(([name, one]) => `${literal(name)}: ${literal(one)}`).join(', ')}}`
  return JSON.stringify(value)
}
