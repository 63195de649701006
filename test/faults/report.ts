import Table from 'cli-table3'
import { type FaultList, rules } from './oracle/fault-list.ts'
import type { Progress, RunResult } from './run.ts'
import type { Tally } from './tally.ts'
import type { JournalEntry } from './writers/journal.ts'

const style = { head: [], border: [], compact: true }

/** One line on how far a run has come. */
export function formatProgress(progress: Progress): string {
  const { seconds, transactions, position, faults, restarts } = progress
  const done = `${number(transactions)} transactions, position ${number(position)}`
  return `${seconds.toFixed(0).padStart(5)} s  ${done}, ${faults} faults, ${restarts} restarts`
}

/** What happened, as tables, and what was found. */
export function formatResult(result: RunResult): string {
  const { journal, faultTally, failpointTally, changeTally, messages, found } = result
  return [
    formatTransactions(journal.entries),
    formatTally('fault', [...faultTally.rows, ['all', faultTally.total]]),
    formatTally('failpoint', [...failpointTally.rows, ['all', failpointTally.total]]),
    formatTally('change', changeTally.rows),
    `${number(messages.arrived)} messages relayed, ${number(messages.repeated)} of them again`,
    formatProgress(result).trim(),
    formatFound(found),
  ].join('\n')
}

/** How often each rule was broken, and the first of its faults in words. */
export function formatFound({ counts, faults }: FaultList): string {
  const lines = faults.map(({ rule, text }) => `  ${rule}: ${text}`)
  return [rules.map((rule) => `${rule} ${counts.get(rule) ?? 0}`).join(', '), ...lines].join('\n')
}

function formatTransactions(entries: readonly JournalEntry[]): string {
  const kinds = Map.groupBy(entries, ({ kind }) => kind)
  const table = new Table({
    head: ['transactions', 'committed', 'not kept', 'unknown', 'events'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style,
  })
  const row = (name: string, some: readonly JournalEntry[]) => {
    const count = (fate: string) => number(some.filter((entry) => entry.fate === fate).length)
    const events = some.reduce((sum, { eventIds }) => sum + eventIds.length, 0)
    return [name, count('committed'), count('absent'), count('unknown'), number(events)]
  }
  for (const kind of [...kinds.keys()].toSorted()) table.push(row(kind, kinds.get(kind) ?? []))
  table.push(row('all', entries))
  return table.toString()
}

function formatTally(name: string, rows: Tally['rows']): string {
  const table = new Table({ head: [name, 'times'], colAligns: ['left', 'right'], style })
  for (const [what, times] of rows) table.push([what, number(times)])
  return table.toString()
}

function number(value: number | bigint): string {
  return value.toLocaleString('en')
}
