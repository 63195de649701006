import Table from 'cli-table3'
import type { CaptureResult } from '../store/capture/install-capture.ts'
import type { Capture } from '../store/capture/list-captures.ts'
import type { CaptureSnapshotResult } from '../store/capture/snapshot-capture.ts'
import { formatCount, oneLine } from './format.ts'

/** Lists captures for people. */
export function capturesText(captures: readonly Capture[]): string {
  if (captures.length === 0) return 'no table is captured'
  const table = new Table({
    head: ['table', 'as', 'key', 'columns', 'schema version'],
    style: { head: [], border: [], compact: true },
  })
  table.push(
    ...captures.map((capture) => [
      oneLine(capture.table),
      capture.category,
      oneLine(capture.key.join(', ')),
      oneLine(filterText(capture)),
      String(capture.schemaVersion),
    ]),
  )
  const problems = captures.flatMap((capture) =>
    capture.problems.map((problem) => oneLine(`warning ${capture.table}: ${problem}`)),
  )
  return [table.toString(), ...problems].join('\n')
}

function filterText({ filter }: Capture): string {
  if (filter === null) return 'all'
  const columns = filter.columns.join(', ')
  return filter.mode === 'columns' ? columns : `all but ${columns}`
}

/** What one run of the command did. */
export interface CaptureRun {
  /** Null when nothing was installed. */
  readonly installed: CaptureResult | null
  /** Null when no snapshot was asked for. */
  readonly snapshot: CaptureSnapshotResult | null
}

/** Says what was captured, for people. */
export function captureText({ installed, snapshot }: CaptureRun): string {
  const lines: string[] = []
  if (installed !== null) {
    const { table, category, key, columns } = installed
    lines.push(
      `${table} is captured as "${category}": streams ${category}-<${key.join(',')}>, ` +
        `events ${category}.created, .changed and .deleted with ${columns.join(', ')}`,
    )
  }
  if (snapshot !== null) {
    const { table, rows, captured } = snapshot
    lines.push(
      `${formatCount(rows)} rows of ${table}, ${formatCount(captured)} of them new to the log`,
    )
  }
  return lines.map(oneLine).join('\n')
}
