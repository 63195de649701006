import type { QueryDiff } from '../projections/diff/compare-by-query.ts'
import type { RowDiff, TableDiff, Values } from '../projections/diff/compare-tables.ts'
import type { DiffResult } from '../projections/diff/diff-versions.ts'
import { formatCount, oneLine } from './format.ts'

/** Says what a comparison of two versions came to, for people. */
export function diffText(result: DiffResult): string {
  const { projection, from, to, position, tables, query } = result
  return [
    `projection "${projection}": version ${from} and version ${to} at position ${formatCount(position)}`,
    ...partialText(from, result.startPositions.from),
    ...partialText(to, result.startPositions.to),
    ...tables.flatMap((table) => tableText(table, result)),
    ...result.tablesOnlyInFrom.map(
      (table) => `${table}: only version ${from} has it, not compared`,
    ),
    ...result.tablesOnlyInTo.map((table) => `${table}: only version ${to} has it, not compared`),
    ...(query === null ? [] : queryText(query)),
    result.isSame ? 'all rows that were compared are the same' : 'they differ',
  ].join('\n')
}

function partialText(version: number, start: bigint): string[] {
  if (start === 0n) return []
  return [`version ${version} holds only events after position ${formatCount(start)}`]
}

function tableText(table: TableDiff, { from, to }: DiffResult): string[] {
  const { columnsOnlyInFrom, columnsOnlyInTo, ignored } = table
  return [
    `${table.table}: ${[
      `${formatCount(table.same)} same`,
      ...(table.key.length === 0 ? [] : [`${formatCount(table.differ)} differ`]),
      `${formatCount(table.onlyInFrom)} only in version ${from}`,
      `${formatCount(table.onlyInTo)} only in version ${to}`,
    ].join(', ')}${table.key.length === 0 ? ' (whole rows: there is no common key)' : ''}`,
    ...columnList(`only in version ${from}, not compared`, columnsOnlyInFrom),
    ...columnList(`only in version ${to}, not compared`, columnsOnlyInTo),
    ...columnList('ignored', ignored),
    ...columnList(
      'differ',
      Object.entries(table.differingColumns).map(
        ([column, rows]) => `${column} in ${formatCount(rows)}`,
      ),
    ),
    ...table.samples.map((row) => `  ${rowText(row, from, to)}`),
  ]
}

function columnList(what: string, columns: readonly string[]): string[] {
  return columns.length === 0 ? [] : [`  columns, ${what}: ${columns.join(', ')}`]
}

function rowText({ key, from: one, to: other }: RowDiff, from: number, to: number): string {
  const name = Object.keys(key).length === 0 ? '' : `${valuesText(key)}: `
  if (other === null) return `${name}only in version ${from}: ${valuesText(one ?? {})}`
  if (one === null) return `${name}only in version ${to}: ${valuesText(other)}`
  const changes = Object.entries(one).map(
    ([column, value]) => `${column} ${valueText(value)} → ${valueText(other[column] ?? null)}`,
  )
  return `${name}${changes.join(', ')}`
}

function queryText({ rows, samples }: QueryDiff): string[] {
  return [
    `the query returned ${formatCount(rows)} rows`,
    ...samples.map((row) => `  ${valuesText(row)}`),
  ]
}

function valuesText(values: Values): string {
  return Object.entries(values)
    .map(([column, value]) => `${column} ${valueText(value)}`)
    .join(', ')
}

/** More of a value would hide the others. */
const maxLength = 60

function valueText(value: string | null): string {
  if (value === null) return 'null'
  const text = oneLine(value)
  return JSON.stringify(text.length > maxLength ? `${text.slice(0, maxLength)}…` : text)
}
