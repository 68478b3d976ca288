import { defineConfig, mergeConfig } from 'vitest/config'

import vite from './vite.config'

// A file that needs a page says so at its top: to make one takes longer than most files' tests.
export default mergeConfig(vite, defineConfig({ test: { environment: 'node', include: ['src/**/*.test.ts'] } }))
