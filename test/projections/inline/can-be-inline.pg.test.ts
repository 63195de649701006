import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { projection } from '../../../src/index.ts'
import { createTestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { untilApplied } from '../fixtures.ts'
import { Added, byBatch, byFold, ScaledLater } from '../levels.ts'
import { expectExact, openStore, startWorker, untilSequenced } from './fixtures.ts'

async function ownDatabase() {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  return own
}

const one = Added({ key: 'a', amount: 1 })

const refusal = (version: number) => ({
  code: 'PROJECTION_STATE_INVALID',
  message:
    `projection "sums" version ${version} is not defined as one that can be inline: ` +
    'Say `canBeInline: true` in its definition, and run a worker that has it.',
})

test('only what is defined so becomes inline, by definition or by name', async () => {
  const own = await ownDatabase()
  const before = { ...byFold('sums'), canBeInline: false }
  const store = await openStore(own, [before])
  await expect(store.setMode(before, 'inline')).rejects.toMatchObject(refusal(1))
  await expect(store.setMode('sums', 'inline')).rejects.toMatchObject(refusal(1))
  await store.append('s-1', one)

  // The next release, without another version: its worker says so.
  const worker = startWorker(own, [byFold('sums')])
  await untilSequenced(own.pool)
  await until('the worker to say so', async () => {
    const { rows } = await own.pool.query('select can_be_inline from tidemark.projections')
    return rows[0].can_be_inline
  })
  await untilApplied(own.pool, byFold('sums'))
  await store.setMode('sums', 'inline')
  await store.append('s-1', one)
  await worker.stop()

  // A worker of the release before does not change what is inline.
  startWorker(own, [before])
  await store.append('s-1', one)
  await expectExact(own.pool, 'sums_v1')
  const { rows } = await own.pool.query('select can_be_inline from tidemark.projections')
  expect(rows).toEqual([{ can_be_inline: true }])
})

test('a version that is not defined so does not take the place of an inline one', async () => {
  const own = await ownDatabase()
  const first = byFold('sums')
  const second = { ...byFold('sums'), version: 2, canBeInline: false }
  const store = await openStore(own, [first, second])
  await store.setMode(first, 'inline')
  startWorker(own, [first, second])
  await store.append('s-1', one)
  await store.rebuild(second)
  await expect(store.promote('sums')).rejects.toMatchObject(refusal(2))
  expect((await store.status()).subscriptions).toMatchObject([
    { state: 'inline' },
    { state: 'active' },
  ])
  await store.setMode('sums', 'async')
  expect(await store.promote('sums')).toMatchObject({ live: 2 })
})

test.each([
  ['stays in the server', byBatch('sums').registry.definitions],
  ['is fetched', [Added, ScaledLater]],
])(
  'statements of `batch` find no positions before it is inline either: what %s',
  async (_, events) => {
    const own = await ownDatabase()
    const { tables } = byBatch('sums')
    const define = (name: string, canBeInline: boolean) =>
      projection(name, { version: 1, events, tables, canBeInline }).batch(
        (_db, relation) => sql`
        insert into sums (key, sum, entries, trail)
        select e.event_id, e.position, 1, '' from ${relation()} as e`,
      )
    const store = await openStore(own, [])
    startWorker(own, [define('with_positions', false), define('without', true)])
    await store.append('s-1', one)
    const failed = await until('one to stand still', async (saw) => {
      const { subscriptions } = await store.status()
      saw(subscriptions)
      const applied = subscriptions.some(({ name, lag }) => name === 'with_positions' && lag === 0n)
      return applied && subscriptions.find(({ state }) => state === 'failed')
    })
    expect(failed).toMatchObject({ name: 'without' })
    expect(JSON.stringify(failed.error)).toContain('column e.position does not exist')
  },
)
