import { readdirSync } from 'node:fs'

import vueI18n from '@intlify/eslint-plugin-vue-i18n'
import { defineConfigWithVueTs, vueTsConfigs } from '@vue/eslint-config-typescript'
import pluginVue from 'eslint-plugin-vue'

const features = readdirSync(new URL('./src/features', import.meta.url))

export default defineConfigWithVueTs(
  { ignores: ['dist/**', 'src/api/schema.ts', 'playwright-report/**', 'test-results/**'] },
  pluginVue.configs['flat/essential'],
  vueTsConfigs.recommended,
  {
    files: ['src/**/*.{ts,vue}'],
    plugins: { '@intlify/vue-i18n': vueI18n },
    rules: {
      'vue/multi-word-component-names': 'off',
      'vue/no-v-html': 'error',
      'vue/no-static-inline-styles': 'error',
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
      'no-console': 'error',
      // Texts of people stand in the message files, in both languages.
      '@intlify/vue-i18n/no-raw-text': ['error', {
        attributes: { '/.+/': ['title', 'label', 'placeholder', 'alt', 'text', 'hint', 'description', 'reason', 'aria-label', 'aria-description', 'aria-roledescription', 'aria-valuetext'] },
        ignorePattern: '^[^\\p{L}]*$',
        ignoreText: ['PromptOps', 'Prefect', 'staging', 'ms', 'Esc', 'Ctrl', 'Enter', 'Tab', 'Alt', 'Shift', 'YAML', 'JSON', 'Python', 'Node', 'Java', 'curl'],
      }],
    },
    settings: { 'vue-i18n': { localeDir: { pattern: './src/**/messages/*.json', localeKey: 'file' }, messageSyntaxVersion: '^11.0.0' } },
  },
  // A feature knows ui, app and api, and no other feature.
  ...features.map((feature) => ({
    files: [`src/features/${feature}/**/*.{ts,vue}`],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: features.filter((other) => other !== feature).map((other) => ({ group: [`@/features/${other}/**`, `**/features/${other}/**`], message: 'Features do not import each other.' })) },
      ],
    },
  })),
  {
    files: ['src/ui/**/*.{ts,vue}'],
    rules: { 'no-restricted-imports': ['error', { patterns: [{ group: ['@/features/**', '@/app/**', '@/api/**'], message: 'ui knows no business.' }] }] },
  },
)
