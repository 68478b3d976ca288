/**
 * The console in Chromium, for the benchmarks: `node console.mjs list URL TOKEN ROUNDS` or
 * `node console.mjs row URL TOKEN KEY`. It writes lines of JSON.
 */
import { chromium } from '@playwright/test'

const [mode, url, token, argument] = process.argv.slice(2)
const say = (line) => console.log(JSON.stringify(line))
// Each does it as often as a list needs to show what it costs.
const WORD = 'quaggaa'
const WHEELS = 20
const QUIET_MS = 400
const API = '/api/prompt-keys?workspace=default&sort=-updated_at&offset=0&limit=100'

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
})
const context = await browser.newContext({ baseURL: url, locale: 'en-US', viewport: { width: 1440, height: 900 } })
const login = await context.request.post('/api/session', { data: { token } })
if (!login.ok()) throw new Error(await login.text())
const page = await context.newPage()
await (mode === 'row' ? watchRow(argument) : openLists(Number(argument)))
await browser.close()

/** Writes the time of each change of a row, in seconds since the epoch, until its input ends. */
async function watchRow(key) {
  await page.exposeFunction('changed', (at) => say({ at }))
  await page.goto(`/w/default/prompts?q=${key}`)
  await page.getByText('Live', { exact: true }).waitFor()
  await page.getByRole('link', { name: key, exact: true }).waitFor()
  await page.getByRole('cell', { name: 'v1', exact: true }).waitFor()
  await page.evaluate(() => {
    const row = document.querySelector('a[href*="/prompts/"]').closest('[role=row]')
    const versions = () => row.innerText.match(/\bv\d+\b/g)?.join() ?? ''
    let shown = versions()
    new MutationObserver(() => {
      if (versions() === shown) return
      shown = versions()
      window.changed((performance.timeOrigin + performance.now()) / 1000)
    }).observe(row, { subtree: true, childList: true, characterData: true })
  })
  say({ ready: true })
  await new Promise((resolve) => process.stdin.on('end', resolve).resume())
}

/** For each round: what the bare answer takes, when the list shows it, and the longest task of each act. */
async function openLists(rounds) {
  for (let round = 0; round < rounds; round++) {
    await openAnotherPage()
    const answer = await page.evaluate(timeAnswer, API)
    // Without a trace, which makes it slower, as the answer is timed without one.
    const list = await page.evaluate(timeList)
    await openAnotherPage()
    const tasks = {}
    tasks.open = await longestTask(() => page.evaluate(timeList))
    tasks.type = await longestTask(async () => {
      await page.keyboard.press('/')
      await page.keyboard.type(WORD, { delay: 60 })
      await page.waitForFunction(() => document.querySelectorAll('[role=row]').length < 45)
    })
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.press('Backspace')
    await page.waitForFunction(() => Number(document.querySelector('[role=table]')?.getAttribute('aria-rowcount')) > 9000)
    await page.keyboard.press('Escape')
    await quiet()
    tasks.sort = await longestTask(async () => {
      await page.getByRole('columnheader', { name: 'Key' }).getByRole('button').click()
      await page.getByText('key-10', { exact: true }).waitFor()
    })
    tasks.scroll = await longestTask(async () => {
      await page.mouse.move(800, 500)
      for (let turn = 0; turn < WHEELS; turn++) {
        await page.mouse.wheel(0, 3000)
        await page.evaluate(() => new Promise(requestAnimationFrame))
      }
      await page.waitForFunction(() => !document.querySelector('[role=cell].h-2'))
    })
    say({ answer, ...list, tasks })
  }
}

async function openAnotherPage() {
  await page.goto('/w/default/audit')
  await quiet()
}

/** In the page: milliseconds of the answer of which the list is made, read whole. */
async function timeAnswer(path) {
  const began = performance.now()
  const response = await fetch(path)
  await response.json()
  return performance.now() - began
}

/** In the page: milliseconds from the click in the navigation to the frame that shows the first row. */
async function timeList() {
  const began = performance.now()
  document.querySelector('nav a[href$="/prompts"]:not(:has(svg[viewBox="0 0 16 16"]))').click()
  return new Promise((resolve) => {
    const look = () => {
      if (!document.querySelector('[role=cell] a[href*="/prompts/"]')) return void requestAnimationFrame(look)
      const now = performance.now()
      const asked = performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/prompt-keys?')).at(-1)
      resolve({ shown: now - began, asked: asked.startTime - began, answered: asked.responseEnd - began })
    }
    requestAnimationFrame(look)
  })
}

/** The longest task of the page's main thread during `act` and shortly after, in milliseconds: of the processor, and of the clock. */
async function longestTask(act) {
  await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline', 'devtools.timeline', '__metadata'] })
  await act()
  await quiet()
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString())
  const main = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(({ pid, tid }) => `${pid} ${tid}`))
  const tasks = traceEvents.filter(({ name, pid, tid }) => /RunTask$/.test(name) && main.has(`${pid} ${tid}`))
  if (!tasks.length) throw new Error('the trace names no task')
  return { cpu: Math.max(...tasks.map(({ tdur }) => (tdur ?? 0) / 1000)), wall: Math.max(...tasks.map(({ dur }) => (dur ?? 0) / 1000)) }
}

/** Until nothing has been asked for during a moment. */
async function quiet() {
  await page.waitForLoadState('networkidle')
  await page.waitForTimeout(QUIET_MS)
}
