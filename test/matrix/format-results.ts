import Table from 'cli-table3'
import type { VersionResult } from './version-result.ts'

/** Writes the results for people, one line a version. */
export function formatResults(results: readonly VersionResult[]): string {
  const table = new Table({
    head: ['PostgreSQL', 'files', 'tests', 'passed', 'failed', 'skipped', 'seconds', ''],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  })
  for (const result of results) table.push(toCells(result))
  return table.toString()
}

function toCells({ version, passed, counts, seconds }: VersionResult): string[] {
  const verdict = passed ? 'passed' : 'FAILED'
  const time = seconds.toFixed(0)
  if (counts === null) return [version, '', '', '', '', '', time, verdict]
  const tests = counts.passed + counts.failed + counts.skipped
  const numbers = [counts.files, tests, counts.passed, counts.failed, counts.skipped]
  return [version, ...numbers.map(String), time, verdict]
}
