import type pg from 'pg'
import type { FaultList } from './fault-list.ts'

/**
 * Checks, at any moment, that no transaction was committed that owed events to an inline projection, and
 * that what is said to be inline is so everywhere.
 */
export async function checkInline(
  asks: Pick<pg.ClientBase, 'query'>,
  faults: FaultList,
): Promise<void> {
  const debts = await asks.query<{ name: string; version: number; debts: number }>(/* sql */ `
    select name, version, count(*)::integer as debts
    from tidemark.inline_debts
    group by name, version`)
  for (const { name, version, debts: count } of debts.rows) {
    faults.add('inline', `${count} debts to ${name} version ${version} were committed`)
  }
  const registry = await asks.query<{ subject: string }>(/* sql */ `
    select concat_ws(' ', i.name, i.version, p.name, p.version, p.state, s.name, s.version, s.state)
      as subject
    from tidemark.inline_projections as i
    left join tidemark.projections as p on p.name = i.name and p.version = i.version
    full join (
      select name, version, min(state) as state, max(state) as last_state
      from tidemark.subscriptions
      where kind = 'projection'
      group by name, version
      having bool_or(state = 'inline')
    ) as s on s.name = i.name and s.version = i.version
    where (p.state = 'live' and s.state = 'inline' and s.last_state = 'inline') is not true`)
  for (const { subject } of registry.rows) {
    faults.add('inline', `what is inline is not the same everywhere: ${subject}`)
  }
}
