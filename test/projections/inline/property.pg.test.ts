import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { createPool } from '../../../src/db/connect.ts'
import type { Store } from '../../../src/index.ts'
import { listVersions } from '../../../src/projections/versions/versions.ts'
import { dropLogSlots } from '../../sequencer/ledger.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { names, untilApplied } from '../fixtures.ts'
import { byFoldAndBatch } from '../levels.ts'
import { arbitraryCall, carryOut, closedDoors, type Outcome, sideDoors } from './doors.ts'
import { expectExact, openStore, startWorker, untilSequenced } from './fixtures.ts'

const first = byFoldAndBatch('sums')
const second = { ...byFoldAndBatch('sums'), version: 2 }

const changes = {
  none: async () => {},
  inline: (store: Store) => store.setMode('sums', 'inline'),
  async: (store: Store) => store.setMode('sums', 'async'),
  rebuild: (store: Store) => store.rebuild(second),
  promote: (store: Store) => store.promote('sums'),
  rollback: (store: Store) => store.rollback('sums'),
  drop: async (store: Store) => {
    for (const version of [1, 2]) await store.drop('sums', version).catch(() => {})
  },
}

type Change = keyof typeof changes

/** A switch may come too late, or find nothing to do. */
const refusals = [
  'PROJECTION_STATE_INVALID',
  'PROJECTION_VERSION_UNKNOWN',
  'PROJECTION_BEHIND',
  'LOCK_TIMED_OUT',
]

/** Appends may conflict, wait for each other, or come by a door that a switch has closed or opened. */
const failures = [
  'STREAM_VERSION_CONFLICT',
  'PROJECTION_NOT_APPLIED',
  'TM013',
  '40P01',
  'rolled back',
]

/** Calls that come at once, while what is inline changes. */
const arbitraryRound = fc.record({
  calls: fc.array(arbitraryCall, { minLength: 1, maxLength: 8 }),
  change: fc.constantFrom(...(Object.keys(changes) as Change[])),
})

async function isInline({ pool }: TestDatabase): Promise<boolean> {
  const { rows } = await pool.query('select from tidemark.inline_projections')
  return rows.length > 0
}

async function changeTo(store: Store, change: Change): Promise<void> {
  await changes[change](store).catch((error: { code?: string }) => {
    if (!refusals.includes(error.code ?? '')) throw error
  })
}

/** Each call has written all of its events once, or none. */
async function expectWhole({ pool }: TestDatabase, outcomes: readonly Outcome[]): Promise<void> {
  const ids = outcomes.flatMap(({ call }) => call.events.map(({ id }) => id))
  const { rows } = await pool.query<{ id: string }>(
    'select event_id::text as id from tidemark.events where event_id = any ($1)',
    [ids],
  )
  const written = rows.map(({ id }) => id).sort()
  expect(written).toEqual(outcomes.flatMap((outcome) => outcome.written).sort())
}

/** Whichever was inline, and since when: every version is what a fold over the log gives. */
async function expectExactVersions(own: TestDatabase): Promise<void> {
  await untilSequenced(own.pool)
  for (const version of await listVersions(own.pool, names, 'sums')) {
    if (!version.isInline) await untilApplied(own.pool, version)
    await expectExact(own.pool, version.schemaName)
    const { rows } = await own.pool.query(
      `select key, n::integer from ${version.schemaName}.counts order by key collate "C"`,
    )
    const removed = await own.pool.query(
      `select stream_id as key, count(*)::integer as n from tidemark.log
       where type = 'removed' group by stream_id order by stream_id`,
    )
    expect(rows).toEqual(removed.rows)
  }
}

/** What is in the log, and why what is not is not there. */
function expectDoors(outcomes: readonly Outcome[], inline: boolean | undefined): void {
  for (const { call, code } of outcomes) {
    if (code !== undefined) expect(failures, `${call.door}: ${code}`).toContain(code)
    if (closedDoors.includes(call.door)) expect(code, call.door).toBeDefined()
    const isSideDoor = sideDoors.includes(call.door)
    if (isSideDoor && inline === true) expect(code, call.door).toBe('TM013')
    // A version that takes the place of another is refused to nobody but who comes by a side door.
    if (!isSideDoor && inline !== undefined)
      expect(['PROJECTION_NOT_APPLIED', 'TM013']).not.toContain(code)
  }
}

test.each(['poll', 'auto'] as const)(
  'appends by every door, while a projection is switched and rebuilt, are applied once and in order, mode %s',
  async (mode) => {
    const own = await createTestDatabase()
    onTestFinished(() => own[Symbol.asyncDispose]())
    onTestFinished(() => dropLogSlots(own.connectionString))
    const pool = createPool({ connectionString: own.connectionString, pipeline: false })
    onTestFinished(() => pool.end())
    const versions = [first, second]
    const stores = await Promise.all([
      openStore(own, versions),
      openStore(own, versions, { groupCommit: false }),
      openStore(own, versions),
    ])
    const [store = expect.fail()] = stores
    startWorker(own, versions, mode)
    await store.setMode(first, 'inline')
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryRound, { minLength: 1, maxLength: 4 }), async (rounds) => {
        for (const { calls, change } of rounds) {
          const before = await isInline(own)
          const [outcomes] = await Promise.all([
            Promise.all(
              calls.map((call, i) =>
                carryOut(stores[i % stores.length] ?? expect.fail(), pool, call),
              ),
            ),
            changeTo(store, change),
          ])
          const after = await isInline(own)
          expectDoors(outcomes, before === after ? before : undefined)
          await expectWhole(own, outcomes)
        }
        await expectExactVersions(own)
      }),
      { numRuns: 20, endOnFailure: true },
    )
    await changeTo(store, 'rebuild')
    await expectExactVersions(own)
    const debts = await own.pool.query('select from tidemark.inline_debts')
    expect(debts.rows).toEqual([])
  },
  180_000,
)
