import { joinedTexts, kindOf } from '@/app/chat'

import { vendorOf, vendorParameters, type SnippetInput, type Vendor } from './input'

// Setters of the vendors' builders that are there to stay; everything else goes into the body as it is.
const SETTERS: Record<string, Record<string, string>> = {
  openai: { temperature: 'temperature', top_p: 'topP', max_completion_tokens: 'maxCompletionTokens', seed: 'seed' },
  anthropic: { max_tokens: 'maxTokens' },
}
const DOUBLES = ['temperature', 'top_p']

/** The SDK's `renderMessages` and the vendor's own library, as a class with a `main`. */
export function javaSnippet(input: SnippetInput): string {
  const vendor = vendorOf(input.kind, input.baseUrl)
  const body = [...messages(input), '', ...call(input, vendor)].map((line) => (line ? `        ${line}` : ''))
  return `${[...imports(input, vendor), '', 'public class Example {', '    public static void main(String[] args) {', ...body, '    }', '}'].join('\n')}\n`
}

function imports(input: SnippetInput, vendor: Vendor): string[] {
  const extra = vendorParameters(input, vendor).filter(([name]) => vendor.sdk && !SETTERS[vendor.sdk]?.[name])
  const hasList = !input.prompt || [input.variables, ...extra].some((value) => literal(value).includes('List.of('))
  const openai = ['com.openai.client.okhttp.OpenAIOkHttpClient', ...(extra.length ? ['com.openai.core.JsonValue'] : []), 'com.openai.models.chat.completions.ChatCompletionCreateParams']
  const anthropic = ['com.anthropic.client.okhttp.AnthropicOkHttpClient', ...(extra.length ? ['com.anthropic.core.JsonValue'] : []), 'com.anthropic.models.messages.MessageCreateParams']
  const vendors = vendor.sdk === 'openai' ? openai : vendor.sdk === 'anthropic' ? anthropic : []
  const own = input.prompt ? ['io.promptops.PromptOpsClient'] : ['io.promptops.Message', 'io.promptops.PromptOpsClient']
  return [...vendors, ...own, ...(hasList ? ['java.util.List'] : []), 'java.util.Map'].map((name) => `import ${name};`)
}

function messages(input: SnippetInput): string[] {
  const variables = `var variables = ${mapOf(input.variables)};`
  if (!input.prompt) {
    const list = input.messages.map((message) => `    new Message(${literal(kindOf(message))}, PromptOpsClient.renderTemplate(${literal(joinedTexts([message]))}, variables))`)
    return [variables, 'var messages = List.of(', list.join(',\n        '), ');']
  }
  return [
    variables,
    ...(input.unserved ? [`// Programs get what ${input.prompt.env} serves; the playground asked ${input.unserved}.`] : []),
    `var builder = PromptOpsClient.builder(${literal(input.server)}).namespace(${literal(input.prompt.env)}).token(System.getenv("PROMPTOPS_TOKEN")).appName("my-app");`,
    ...(input.workspace ? [`builder.workspace(${literal(input.workspace)});`] : []),
    'var prompts = builder.build();',
    `var messages = prompts.renderMessages(${literal(input.prompt.key)}, variables);`,
    'prompts.close();',
  ]
}

function call(input: SnippetInput, vendor: Vendor): string[] {
  if (!vendor.sdk) return ['System.out.println(messages); // The mock of PromptOps has no server of its own to call.']
  const key = vendor.keyVariable ? `System.getenv(${literal(vendor.keyVariable)})` : '"none"'
  const client = `${vendor.sdk === 'openai' ? 'OpenAIOkHttpClient' : 'AnthropicOkHttpClient'}.builder().apiKey(${key})${vendor.baseUrl ? `.baseUrl(${literal(vendor.baseUrl)})` : ''}.build()`
  const parameters = vendorParameters(input, vendor).map(([name, value]) => `    ${setter(vendor, name, value)}`)
  const isOpenai = vendor.sdk === 'openai'
  const request = [`var request = ${isOpenai ? 'ChatCompletionCreateParams' : 'MessageCreateParams'}.builder()`, `    .model(${literal(input.model)})`, ...parameters]
  request[request.length - 1] += ';'
  const roles = isOpenai
    ? ['        case "system" -> request.addSystemMessage(message.content());', '        case "developer" -> request.addDeveloperMessage(message.content());']
    : ['        case "system" -> request.system(message.content());']
  const output = isOpenai
    ? ['System.out.println(answer.choices().get(0).message().content().orElse(""));']
    : ['answer.content().forEach(block -> block.text().ifPresent(text -> System.out.println(text.text())));']
  return [
    ...request,
    'for (var message : messages) {',
    '    switch (message.role()) {',
    ...roles,
    '        case "assistant" -> request.addAssistantMessage(message.content());',
    '        default -> request.addUserMessage(message.content());',
    '    }',
    '}',
    `var model = ${client};`,
    `var answer = model.${isOpenai ? 'chat().completions' : 'messages'}().create(request.build());`,
    ...output,
  ]
}

function setter(vendor: Vendor, name: string, value: unknown): string {
  const method = SETTERS[vendor.sdk ?? '']?.[name]
  if (!method) return `.putAdditionalBodyProperty(${literal(name)}, JsonValue.from(${literal(value)}))`
  return `.${method}(${DOUBLES.includes(name) ? String(value) + (Number.isInteger(value) ? '.0' : '') : `${String(value)}L`})`
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `List.of(${value.map(literal).join(', ')})`
  if (typeof value === 'object' && value !== null) return mapOf(value as Record<string, unknown>)
  return JSON.stringify(value) ?? 'null'
}

function mapOf(values: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(values)
  const MOST_OF_MAP_OF = 10
  if (entries.length <= MOST_OF_MAP_OF) return `Map.<String, Object>of(${entries.map(([name, value]) => `${literal(name)}, ${literal(value)}`).join(', ')})`
  return `Map.<String, Object>ofEntries(${entries.map(([name, value]) => `Map.entry(${literal(name)}, ${literal(value)})`).join(', ')})`
}
