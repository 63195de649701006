import pg from 'pg'
import type { BankStore } from './ledger.ts'

/**
 * Does what the log refuses, as its owner can: takes the triggers away, adds a cent to a deposit that is sealed
 * already, and puts them back. For the control that `verify` has to find.
 */
export async function tamper(store: BankStore, connectionString: string): Promise<void> {
  await store.seal()
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query('begin')
    await client.query('alter table tidemark.events disable trigger user')
    await client.query(/* sql */ `
      update tidemark.events
      set data = jsonb_set(data, '{cents}', to_jsonb((data ->> 'cents')::bigint + 1))
      where insert_id = (
        select min(insert_id) from tidemark.events where type = 'account.deposited'
      )`)
    await client.query('alter table tidemark.events enable trigger user')
    await client.query('commit')
  } finally {
    await client.end()
  }
}
