import type pg from 'pg'
import type { FaultList } from './fault-list.ts'

interface Row {
  readonly subject: string
  readonly events: number
  readonly message: string | null
}

/** Checks, while everything goes on, that no event was tried before one of its key that comes before it. */
export async function checkParkedOrder(
  asks: Pick<pg.ClientBase, 'query'>,
  faults: FaultList,
): Promise<void> {
  const { rows } = await asks.query<Row>(/* sql */ `
    select name || ' ' || lane || ' ' || key as subject, 1 as events, error ->> 'message' as message
    from tidemark.parked_events
    where error ->> 'message' like '%goes back%'`)
  for (const { subject, message } of rows) faults.add('parked', `${subject} ${message}`)
}

/** Checks that nothing is parked any more. */
export async function checkNoneParked(
  asks: Pick<pg.ClientBase, 'query'>,
  faults: FaultList,
): Promise<void> {
  const { rows } = await asks.query<Row>(/* sql */ `
    select name || ' ' || lane || ' ' || key as subject, count(*)::integer as events,
      max(error ->> 'message') as message
    from tidemark.parked_events
    group by name, lane, key
    order by name, lane, key`)
  for (const { subject, events, message } of rows) {
    faults.add('parked', `${subject} has ${events} events parked: ${message}`)
  }
}
