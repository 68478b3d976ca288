import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

import VueI18n from '@intlify/unplugin-vue-i18n/vite'
import tailwind from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vite'

const platform = process.env.PROMPTOPS_URL ?? 'http://127.0.0.1:8080'
const compressible = /\.(js|css|svg|html|json)$/

/** Writes each text file a second and third time, as `.br` and `.gz`, so that the platform need not compress. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    // Once the files are written: until then Vite still changes them.
    async writeBundle({ dir }, bundle) {
      const names = Object.keys(bundle).filter((name) => compressible.test(name))
      await Promise.all(names.map((name) => compress(join(dir ?? '', name))))
    },
  }
}

async function compress(path: string): Promise<void> {
  const text = await readFile(path)
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }
  await writeFile(`${path}.br`, await promisify(brotliCompress)(text, quality))
  await writeFile(`${path}.gz`, await promisify(gzip)(text, { level: 9 }))
}

/** Adds the licences of the fonts, which `build.license` does not list: it sees scripts only. */
function fontLicenses(): Plugin {
  return {
    name: 'font-licenses',
    apply: 'build',
    async generateBundle() {
      for (const font of ['inter', 'jetbrains-mono']) {
        const path = fileURLToPath(new URL(`./node_modules/@fontsource-variable/${font}/LICENSE`, import.meta.url))
        this.emitFile({ type: 'asset', fileName: `license-${font}.txt`, source: await readFile(path, 'utf8') })
      }
    },
  }
}

// These import all of Vue to look for one name, and so keep all of it in the build: by file, what stands there and what to read instead.
const NAMESPACES: [RegExp, string, string][] = [
  [/vue-i18n\/dist\/vue-i18n\.runtime\.mjs$/, "import * as Vue from 'vue';", "import { getCurrentInstance as instanceOfVue } from 'vue'; const Vue = { getCurrentInstance: instanceOfVue };"],
  [/reka-ui\/dist\/shared\/useId\.js$/, 'import * as vue from "vue";', 'import { useId as idOfVue } from "vue"; const vue = { useId: idOfVue };'],
]

/** Imports from Vue by name what these packages use of it, so that the rest can be left out. */
function namedImports(): Plugin {
  return {
    name: 'named-imports',
    apply: 'build',
    transform(code, id) {
      const place = NAMESPACES.find(([file]) => file.test(id.split('?')[0] ?? ''))
      if (!place) return null
      if (!code.includes(place[1])) this.error(`${id} has no "${place[1]}" any more`)
      return { code: code.replace(place[1], place[2]), map: null }
    },
  }
}

export default defineConfig({
  plugins: [
    namedImports(),
    vue(),
    tailwind(),
    VueI18n({
      include: [fileURLToPath(new URL('./src/**/messages/*.json', import.meta.url))],
      runtimeOnly: true,
      strictMessage: true,
      fullInstall: false,
      dropMessageCompiler: true,
    }),
    fontLicenses(),
    compressed(),
  ],
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false', __VUE_I18N_LEGACY_API__: 'false', __INTLIFY_PROD_DEVTOOLS__: 'false' },
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  experimental: {
    // Scripts and styles find each other at any path; the platform puts its own path into the page.
    renderBuiltUrl: (name, { hostType }) => (hostType === 'html' ? `/${name}` : { relative: true }),
  },
  build: {
    outDir: '../platform/promptops_platform/console/dist',
    emptyOutDir: true,
    target: 'es2022',
    // Vite would put small files into the page as data, which the content security policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: true,
    // Whoever gets the packages in the scripts has to get their licences.
    license: { fileName: 'licenses.md' },
    // The first script lists all others for preloading: names would make that list twice as long.
    rolldownOptions: { checks: { pluginTimings: false }, output: { chunkFileNames: 'assets/[hash].js' } },
  },
  server: {
    proxy: {
      // As objects: the short form changes `Host`, and the platform takes the page for another origin.
      '/api': { target: platform },
      '/ready': { target: platform },
      '/openapi.json': { target: platform },
      '/ws': { target: platform.replace('http', 'ws'), ws: true },
    },
  },
})
