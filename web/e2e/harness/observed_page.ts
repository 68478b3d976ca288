import { expect, type ConsoleMessage, type Page, type Request, type Response } from '@playwright/test'

const LAYOUT_SHIFT = 0.02

/** Content that moved without a reason of the user's, as Chromium measures it. */
export interface Shift { value: number; moved: string[] }

interface LayoutShift extends PerformanceEntry {
  value: number
  hadRecentInput: boolean
  sources: { node?: Element; previousRect: DOMRectReadOnly; currentRect: DOMRectReadOnly }[]
}

declare global {
  interface Window {
    layoutShifts: Shift[]
    policyViolations: string[]
  }
}

/** What a page must not do unless the test causes it: errors in the console and requests that fail. */
export class Observed {
  private readonly faults: string[] = []
  private readonly allowed: RegExp[] = []

  constructor(readonly page: Page) {
    page.on('console', (message: ConsoleMessage) => {
      // A failed request is reported once, with its status.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) this.faults.push(`console: ${message.text()}`)
    })
    page.on('pageerror', (error: Error) => this.faults.push(`exception: ${error.stack ?? error.message}`))
    page.on('response', (response: Response) => {
      if (response.status() >= 400) this.faults.push(`${response.status()} ${response.request().method()} ${response.url()}`)
    })
    page.on('requestfailed', (request: Request) => {
      // A page that is left ends its requests.
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') this.faults.push(`${request.failure()?.errorText} ${request.method()} ${request.url()}`)
    })
    page.on('request', (request: Request) => {
      const { origin, protocol } = new URL(request.url())
      if (protocol.startsWith('http') && origin !== new URL(process.env.PROMPTOPS_BROWSER_URL ?? '').origin && !this.origins.has(origin)) this.faults.push(`third party: ${request.url()}`)
    })
  }

  /** Other platforms that a test opens. */
  readonly origins = new Set<string>()

  /** The test causes faults that match. */
  allow(...patterns: RegExp[]): void {
    this.allowed.push(...patterns)
  }

  get unexpected(): string[] {
    return this.faults.filter((fault) => !this.allowed.some((pattern) => pattern.test(fault)))
  }

  /** Since it was loaded, the page has hardly moved and has broken no rule of its content security policy. */
  async expectCalm(): Promise<void> {
    expect.soft(await this.page.evaluate(() => window.policyViolations)).toEqual([])
    const shifts = await this.page.evaluate(() => window.layoutShifts)
    expect.soft(shifts.reduce((sum, { value }) => sum + value, 0), `${this.page.url()} ${JSON.stringify(shifts)}`).toBeLessThanOrEqual(LAYOUT_SHIFT)
  }
}

/** Runs in the page before its own scripts. */
export function measure(): void {
  window.layoutShifts = []
  window.policyViolations = []
  document.addEventListener('securitypolicyviolation', (event) => window.policyViolations.push(`${event.violatedDirective} ${event.blockedURI}`))
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries() as LayoutShift[]) {
      if (hadRecentInput) continue
      const moved = sources.map(({ node, previousRect, currentRect }) => `${node?.nodeName} ${node?.className ?? node?.textContent} ${JSON.stringify(previousRect)} to ${JSON.stringify(currentRect)}`)
      window.layoutShifts.push({ value, moved })
    }
  }).observe({ type: 'layout-shift', buffered: true })
}
