import { isTextMessage } from '@/app/chat'

import { vendorOf, vendorParameters, type SnippetInput, type Vendor } from './input'

/** The SDK's `renderMessages` and the vendor's own package, as an ES module. */
export function nodeSnippet(input: SnippetInput): string {
  const vendor = vendorOf(input.kind, input.baseUrl)
  return `${[...imports(input, vendor), '', ...messages(input), '', ...call(input, vendor)].join('\n')}\n`
}

function imports(input: SnippetInput, vendor: Vendor): string[] {
  const sdk = { openai: ['import OpenAI from "openai";'], anthropic: ['import Anthropic from "@anthropic-ai/sdk";'] }
  return [...(vendor.sdk ? sdk[vendor.sdk] : []), `import { ${input.prompt ? 'PromptOpsClient' : 'renderTemplate'} } from "@promptops/client";`]
}

function messages(input: SnippetInput): string[] {
  const variables = `const variables = ${JSON.stringify(input.variables)};`
  if (!input.prompt) {
    const list = input.messages.map((message) => (isTextMessage(message) ? `  { role: ${JSON.stringify(message.role)}, content: renderTemplate(${JSON.stringify(message.content)}, variables) },` : `  ${JSON.stringify(message)},`))
    return [variables, 'const messages = [', ...list, '];']
  }
  const workspace = input.workspace ? [`  workspace: ${JSON.stringify(input.workspace)},`] : []
  return [
    variables,
    ...(input.unserved ? [`// Programs get what ${input.prompt.env} serves; the playground asked ${input.unserved}.`] : []),
    'const prompts = new PromptOpsClient({',
    `  server: ${JSON.stringify(input.server)}, namespace: ${JSON.stringify(input.prompt.env)}, token: process.env.PROMPTOPS_TOKEN, appName: "my-app",`,
    ...workspace,
    '});',
    `const messages = await prompts.renderMessages(${JSON.stringify(input.prompt.key)}, variables);`,
    'await prompts.close();',
  ]
}

function call(input: SnippetInput, vendor: Vendor): string[] {
  if (!vendor.sdk) return ['console.log(messages); // The mock of PromptOps has no server of its own to call.']
  const key = vendor.keyVariable ? `process.env.${vendor.keyVariable}` : '"none"'
  const options = [`apiKey: ${key}`, ...(vendor.baseUrl ? [`baseURL: ${JSON.stringify(vendor.baseUrl)}`] : [])].join(', ')
  const parameters = vendorParameters(input, vendor).map(([name, value]) => `  ${name}: ${JSON.stringify(value)},`)
  if (vendor.sdk === 'openai') {
    return [`const model = new OpenAI({ ${options} });`, 'const answer = await model.chat.completions.create({', `  model: ${JSON.stringify(input.model)},`, '  messages,', ...parameters, '});', 'console.log(answer.choices[0].message.content);']
  }
  return [
    `const model = new Anthropic({ ${options} });`,
    'const answer = await model.messages.create({',
    `  model: ${JSON.stringify(input.model)},`,
    '  system: messages.filter(({ role }) => role === "system").map(({ content }) => content).join("\\n\\n"),',
    '  messages: messages.filter(({ role }) => role !== "system"),',
    ...parameters,
    '});',
    'console.log(answer.content.filter(({ type }) => type === "text").map(({ text }) => text).join(""));',
  ]
}
