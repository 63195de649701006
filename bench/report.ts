import Table from 'cli-table3'
import type { Measurement } from './benchmark.ts'
import type { Surroundings } from './surroundings.ts'

/** Writes the measurements for people. */
export function formatReport(
  surroundings: Surroundings,
  measurements: readonly Measurement[],
  at: Date,
): string {
  const table = new Table({
    head: [
      ...['name', 'rate', 'ratio (lowest–highest)', 'against', 'p50 ms', 'p99 ms', 'times of'],
      ...['memory', 'WAL'],
    ],
    colAligns: [
      ...(['left', 'right', 'right', 'left', 'right', 'right', 'left'] as const),
      ...(['right', 'right'] as const),
    ],
    style: { head: [], border: [], compact: true },
  })
  for (const measurement of measurements) table.push(toCells(measurement))
  return `${describe(surroundings, at)}\n${table.toString()}`
}

/** Writes the measurements for programs. */
export function formatJson(
  { machine, versions }: Surroundings,
  measurements: readonly Measurement[],
): string {
  const results = measurements.map(
    ({ name, rate, unit, ratio, against, p50Ms, p99Ms, ...peaks }: Measurement) => ({
      name,
      rate,
      unit,
      ratio,
      against,
      p50Ms,
      p99Ms,
      peakMemoryMb: peaks.peakMemoryMb,
      retainedWalMb: peaks.retainedWalMb,
    }),
  )
  return `${JSON.stringify({ machine, versions, results }, null, 2)}\n`
}

function describe({ machine, versions, isDurable }: Surroundings, at: Date): string {
  const gibibytes = Math.round(machine.memoryBytes / 2 ** 30)
  return [
    `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `machine: ${machine.cpu ?? 'unknown'}, ${machine.cores} cores, ${gibibytes} GiB, ${machine.os}`,
    `versions: tidemark ${versions.tidemark}, PostgreSQL ${versions.postgres} ` +
      `(commits ${isDurable ? 'are' : 'ARE NOT'} on disk when acknowledged), ` +
      `Node ${versions.node}, pg ${versions.pg}`,
  ].join('\n')
}

function toCells(measurement: Measurement): string[] {
  const { name, rate, unit, against, baseRate, p50Ms, p99Ms, timesOf } = measurement
  return [
    name,
    rate === null ? '' : `${rate < 10 ? rate.toFixed(1) : whole(rate)} ${unit ?? ''}`,
    formatRatio(measurement),
    against === null || baseRate === null ? '' : `${against}: ${whole(baseRate)}/s`,
    p50Ms?.toFixed(2) ?? '',
    p99Ms?.toFixed(2) ?? '',
    timesOf ?? '',
    megabytes(measurement.peakMemoryMb),
    megabytes(measurement.retainedWalMb),
  ]
}

function formatRatio({ ratio, ratioRange }: Measurement): string {
  if (ratio === null) return ''
  const range = ratioRange?.map((value) => value.toFixed(2)).join('–')
  return range === undefined ? ratio.toFixed(2) : `${ratio.toFixed(2)} (${range})`
}

function megabytes(value: number | null): string {
  return value === null ? '' : `${whole(value)} MB`
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}
