import CliTable from 'cli-table3'
import { type Check, holds } from './check.ts'

/** What an example did and found. */
export interface Outcome {
  /** Figures by what they count. */
  readonly did: Readonly<Record<string, number | string>>
  /** What is worth a look, each a table with a title. */
  readonly shown?: readonly ShownTable[]
  readonly checks: readonly Check[]
}

export interface ShownTable {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

const faultsShown = 5

/** Prints what was done, what there is to see, and what was checked. */
export function printReport({ did, shown = [], checks }: Outcome): void {
  const done = newTable(['did', ''])
  for (const [what, figure] of Object.entries(did)) done.push([what, String(figure)])
  const checked = newTable(['checked', 'of', ''])
  for (const check of checks) checked.push([check.invariant, check.looked, verdictOf(check)])
  const tables = shown.map(({ head, rows }) => {
    const table = newTable([...head])
    table.push(...rows.map((row) => [...row]))
    return table
  })
  for (const table of [done, ...tables, checked]) console.log(table.toString())
  for (const { invariant, faults } of checks) {
    for (const fault of faults.slice(0, faultsShown)) console.log(`BROKEN ${invariant}: ${fault}`)
    if (faults.length > faultsShown) console.log(`… and ${faults.length - faultsShown} more`)
  }
}

function verdictOf(check: Check): string {
  if (holds(check)) return 'holds'
  return check.looked === 0 ? 'NOTHING TO CHECK' : `BROKEN (${check.faults.length})`
}

function newTable(head: string[]): CliTable.Table {
  return new CliTable({ head, style: { head: [], border: [], compact: true } })
}
