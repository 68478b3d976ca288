import { defineConfig } from '@playwright/test'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

export default defineConfig({
  testDir: 'e2e',
  globalSetup: './e2e/harness/setup.ts',
  workers: Number(process.env.JOBS ?? 2),
  fullyParallel: true,
  retries: 0,
  forbidOnly: true,
  timeout: 240_000,
  // A busy machine is slow, not wrong: what is awaited comes, or the test fails.
  expect: { timeout: 45_000 },
  reporter: [['list']],
  outputDir: 'test-results',
  use: {
    testIdAttribute: 'data-test',
    locale: 'en-US',
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
    actionTimeout: 45_000,
    navigationTimeout: 60_000,
    screenshot: 'only-on-failure',
    // Recording takes a fifth of the time of all tests: `TRACE=1` for one that fails.
    trace: process.env.TRACE ? 'retain-on-failure' : 'off',
    launchOptions: {
      executablePath,
      // Chromium's own calls home would be requests that no test caused.
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
    },
  },
})
