import { expect, test } from 'vitest'
import { logNames } from '../../../src/db/log-names.ts'
import { captureStore } from '../../../src/store/capture/capture-store.ts'
import { useDatabase } from '../../support/database.ts'

const database = useDatabase()
const captures = () => captureStore(database.pool, logNames())

async function createProjection(name: string, types: string): Promise<void> {
  await database.pool.query(
    /* sql */ `
    insert into tidemark.projections
      (name, version, state, schema_name, view_schema, definition_hash, event_types, can_be_inline)
    values ($1, 1, 'live', $1 || '_v1', $1, 'h', $2, true)`,
    [name, types],
  )
  await database.pool.query(
    `insert into tidemark.subscriptions (kind, name, version) values ('projection', $1, 1)`,
    [name],
  )
}

test('what a capture appends cannot be applied inline, whichever comes first', async () => {
  const { pool } = database
  await pool.query('create table orders (id integer primary key)')
  await createProjection('first', '{order.changed}')
  await captures().install('orders', { as: 'order' })
  await expect(pool.query(`select tidemark.switch_inline('first', 1)`)).rejects.toMatchObject({
    code: 'TM014',
    message: 'projection "first" reads events of a captured table',
  })

  await createProjection('second', '{item.created}')
  await pool.query(`select tidemark.switch_inline('second', 1)`)
  await pool.query('create table items (id integer primary key)')
  await expect(captures().install('items', { as: 'item' })).rejects.toMatchObject({
    code: 'PROJECTION_STATE_INVALID',
  })
  await captures().install('items', { as: 'thing' })
  await pool.query('insert into items values (1)')
})
