import type { StripPoint } from './strip'

export interface StripView {
  start: number
  end: number
  p99: number
  y: (ms: number) => number
  decades: number[]
}

const RADIUS = 1.25
const OUTLIER_RADIUS = 2.25

/** Draws the runs as dots: the usual ones grey, the slowest in ink, those that failed red. */
export function drawStrip(canvas: HTMLCanvasElement, points: readonly StripPoint[], view: StripView): void {
  const { clientWidth: width, clientHeight: height } = canvas
  const pixels = window.devicePixelRatio || 1
  canvas.width = Math.round(width * pixels)
  canvas.height = Math.round(height * pixels)
  const context = canvas.getContext('2d')
  if (!context) return
  context.scale(pixels, pixels)
  const token = (name: string) => getComputedStyle(canvas).getPropertyValue(name).trim()
  context.fillStyle = token('--line')
  for (const decade of view.decades) context.fillRect(0, Math.round(view.y(decade) * (height - 1)), width, 1)
  const inks = { normal: token('--dot'), slow: token('--fg'), failed: token('--danger'), running: token('--live') }
  const rank = (point: StripPoint) => (point.status === 'error' ? 2 : point.ms > view.p99 ? 1 : 0)
  // What stands out lies on top.
  for (const point of [...points].sort((a, b) => rank(a) - rank(b))) {
    const stands = rank(point)
    context.fillStyle = point.status === 'running' ? inks.running : [inks.normal, inks.slow, inks.failed][stands] ?? inks.normal
    const radius = stands ? OUTLIER_RADIUS : RADIUS
    const x = ((point.at - view.start) / (view.end - view.start)) * width
    context.beginPath()
    context.arc(x, Math.min(height - radius, Math.max(radius, view.y(point.ms) * height)), radius, 0, 2 * Math.PI)
    context.fill()
  }
}
