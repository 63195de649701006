import { expect, test } from 'vitest'
import { logNames } from '../../src/db/log-names.ts'
import { type AnyProjection, createStore, integer, projection, table } from '../../src/index.ts'
import { ensureVersion } from '../../src/projections/versions/versions.ts'
import { diagnose } from '../../src/worker/doctor/diagnose.ts'
import { Counted, counts } from '../projections/counts.ts'
import { useDatabase } from '../support/database.ts'

const database = useDatabase()
const names = logNames()

const build = (definition: AnyProjection) => ensureVersion(database.pool, names, definition, 'any')

async function examine(projections?: readonly AnyProjection[]) {
  const { connectionString } = database
  const options = projections === undefined ? {} : { projections }
  const { findings } = await diagnose({ connectionString, graceMs: 1, ...options })
  return findings.filter(({ check }) => check === 'projections')
}

test('says of each definition whether its tables are as it declares them', async () => {
  const fine = counts('examined', 1)
  await build(fine)
  await build(counts('examined', 2))
  const redeclared = projection('examined', {
    version: 2,
    events: [Counted],
    tables: { counts: table({ key: integer().primaryKey() }) },
  }).fold('counts', { key: () => ({ key: 1 }), on: { counted: () => ({}) } })
  expect(await examine([fine, redeclared, counts('examined', 3)])).toEqual([
    {
      check: 'projections',
      severity: 'ok',
      reason: 'projection "examined" version 1 has the tables that it declares',
      remedy: null,
    },
    {
      check: 'projections',
      severity: 'warning',
      reason:
        'projection "examined" version 2: its tables are declared otherwise than they were made',
      remedy:
        'raise `version` in its definition, or run `tidemark drop examined --version 2`, and rebuild',
    },
    {
      check: 'projections',
      severity: 'ok',
      reason: 'projection "examined" version 3 is not built yet',
      remedy: null,
    },
  ])
})

test('takes a change of live tables by hand for an error, until it is undone', async () => {
  const definition = counts('altered', 1)
  await build(definition)
  await database.pool.query('alter table altered_v1.totals rename column total to sum')
  expect(await examine([definition])).toEqual([
    {
      check: 'projections',
      severity: 'error',
      reason:
        'projection "altered" version 1: somebody changed its tables: table "totals": column "total" is ' +
        'not there: expected integer not null',
      remedy: 'undo it, or raise `version` in its definition and rebuild',
    },
  ])
  await using store = await createStore({ connectionString: database.connectionString })
  const { findings } = await store.doctor({ graceMs: 1, projections: [definition] })
  expect(findings).toContainEqual(
    expect.objectContaining({ check: 'projections', severity: 'error' }),
  )
  await database.pool.query('alter table altered_v1.totals rename column sum to total')
  expect(await examine([definition])).toMatchObject([{ severity: 'ok' }])
})

test('takes tables that nobody can read the declaration of for an error', async () => {
  const absent = projection('absent', {
    version: 1,
    events: [Counted],
    ddl: new URL('file:///nowhere/tables.sql'),
    tables: {},
  }).each({ on: { counted: () => null } })
  await build({ ...absent, ddl: 'create table t (id integer)' } as AnyProjection)
  expect(await examine([absent])).toMatchObject([
    {
      severity: 'error',
      reason: expect.stringContaining('tables.sql'),
      remedy: 'mend its definition',
    },
  ])
})

test('says nothing of projections that it is not given', async () => {
  expect(await examine()).toEqual([])
})
