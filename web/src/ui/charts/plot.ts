import uPlot from 'uplot'

/** How a line is drawn: of now, of a time before, chosen by the user, or harm. */
export type Ink = 'now' | 'then' | 'chosen' | 'danger'

export interface Line {
  key: string
  label: string
  /** One for each time; null where nothing is known. */
  values: (number | null)[]
  ink: Ink
}

export interface PlotOptions {
  width: number
  height: number
  inset: number
  lines: Line[]
  format: (value: number) => string
  /** The text under a tick; `step` is the distance of two ticks in seconds. */
  formatTime: (seconds: number, step: number) => string
  /** A part of the time may be selected. */
  selects: boolean
  onHover: (index: number | null) => void
  onSelect: (from: number, to: number) => void
  onPick: (index: number) => void
}

const INKS: Record<Ink, string> = { now: '--plot-now', then: '--plot-then', chosen: '--info', danger: '--danger' }
const SHORTEST_BRUSH_PX = 4

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

/** The last value of a line that is known, where it gets its dot. */
export function lastKnown(values: readonly (number | null)[]): number {
  return values.findLastIndex((value) => value !== null)
}

/** A plot in the colours of the theme that is in force. */
export function drawPlot(host: HTMLElement, times: number[], options: PlotOptions): uPlot {
  const font = `11px ${token('--font')}`
  let brushed = false
  const plot = new uPlot(
    {
      width: options.width,
      height: options.height,
      padding: [8, 0, 0, options.inset],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: options.selects, y: false, setScale: false } },
      scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [
        { stroke: token('--fg-3'), font, size: 24, gap: 4, space: 56, grid: { show: false }, ticks: { show: false }, values: (_plot, splits, _axis, _space, step) => splits.map((at) => options.formatTime(at, step)) },
        { side: 1, stroke: token('--fg-3'), font, size: 46, gap: 6, space: 36, grid: { stroke: token('--line'), width: 1 }, ticks: { show: false }, values: (_plot, splits) => splits.map((value) => options.format(value)) },
      ],
      series: [{}, ...options.lines.map((line) => series(line))],
      hooks: {
        setCursor: [(self) => options.onHover(self.cursor.idx ?? null)],
        setSelect: [
          (self) => {
            if (self.select.width < SHORTEST_BRUSH_PX) return
            brushed = true
            options.onSelect(self.posToVal(self.select.left, 'x'), self.posToVal(self.select.left + self.select.width, 'x'))
            self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          },
        ],
        ready: [
          (self) =>
            self.over.addEventListener('click', () => {
              if (!brushed && self.cursor.idx != null) options.onPick(self.cursor.idx)
              brushed = false
            }),
        ],
      },
    },
    [times, ...options.lines.map((line) => line.values)] as uPlot.AlignedData,
    host,
  )
  return plot
}

function series(line: Line): uPlot.Series {
  const stroke = token(INKS[line.ink])
  const points = pointsOf(line)
  return {
    stroke,
    width: line.ink === 'then' ? 1 : 1.5,
    spanGaps: false,
    points: { show: true, filter: () => points, size: 5, fill: stroke, stroke },
  }
}

/** Of what goes on the newest point is drawn, and any that stands alone and would be no line. */
export function pointsOf(line: Pick<Line, 'values' | 'ink'>): number[] {
  const last = line.ink === 'then' ? -1 : lastKnown(line.values)
  return line.values.flatMap((value, at) => (value !== null && (at === last || isAlone(line.values, at)) ? [at] : []))
}

function isAlone(values: readonly (number | null)[], at: number): boolean {
  return (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null
}
