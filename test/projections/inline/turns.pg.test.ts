import { expect, onTestFinished, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { Added, byFold } from '../levels.ts'
import { begin, expectExact, openStore, rowsOf, startWorker } from './fixtures.ts'

const added = (amount: number) => Added({ key: 'a', amount })

const insertRow = `insert into tidemark.events (stream_id, version, event_id, type, data)
  values ('raw-1', 1, gen_random_uuid(), 'added', '{"key": "a", "amount": 7}')`

const notSettled = (reason: string) => ({
  code: 'PROJECTION_NOT_APPLIED',
  details: { projection: 'sums', reason: expect.stringContaining(reason) },
})

async function inlineSums() {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  const folded = byFold('sums')
  const store = await openStore(own, [folded])
  await store.setMode(folded, 'inline')
  return { own, store }
}

/** The ledger is written by polling, once everything is committed: it follows insert ids. */
async function expectOrderOfLog(own: TestDatabase, trail: string) {
  startWorker(own, [], 'poll')
  await expectExact(own.pool, 'sums_v1')
  expect(await rowsOf(own.pool, 'sums_v1')).toMatchObject([{ trail }])
}

test.each([
  ['under a key', { key: 'once' }],
  ['with the same ids', { expect: 0n }],
])(
  'an append that is a replay, %s, does not settle what SQL inserted before its turn',
  async (_, options) => {
    const { own, store } = await inlineSums()
    const first = { ...added(1), id: '018f3f7e-7b1c-7c3e-8000-00000000000a' }
    await store.append('s-1', first, options)
    const tx = await begin(own)
    await tx.query(insertRow)
    await store.append('s-2', added(2))
    await expect(store.append('s-1', first, { ...options, tx })).rejects.toMatchObject(
      notSettled('inserted past the store'),
    )
    await expect(tx.query('commit')).rejects.toMatchObject({ code: 'TM013' })
    await expectOrderOfLog(own, ',1,2')
  },
)

test('neither does one of several streams, nor a command, that is a replay', async () => {
  const { own, store } = await inlineSums()
  const many = [{ streamId: 's-1', events: [added(1)] }]
  await store.appendMany(many, { key: 'many' })
  const decide = () => ({ streamId: 's-3', events: [added(2)] })
  await store.decide([{ types: ['removed'] }], decide, { key: 'decision' })
  for (const replay of ['many', 'decision']) {
    const tx = await begin(own)
    await tx.query(insertRow)
    const replaying =
      replay === 'many'
        ? store.appendMany(many, { key: 'many', tx })
        : store.decide([{ types: ['removed'] }], decide, { key: 'decision', tx })
    await expect(replaying).rejects.toMatchObject(notSettled('inserted past the store'))
    await tx.query('rollback')
  }
  await expectOrderOfLog(own, ',1,2')
})

test('what SQL inserted is applied with an append after it, in the order of the log', async () => {
  const { own, store } = await inlineSums()
  const tx = await begin(own)
  await tx.query(insertRow)
  await store.append('s-2', added(2))
  await store.append('s-1', added(3), { tx })
  await tx.query('commit')
  await expectOrderOfLog(own, ',2,7,3')
})

test('an insert id that was drawn before an append is not used after it', async () => {
  const { own, store } = await inlineSums()
  const tx = await begin(own)
  const { rows } = await tx.query("select nextval('tidemark.events_insert_id_seq')::text as id")
  await store.append('s-1', added(1), { tx })
  await tx.query('savepoint s')
  const late = insertRow
    .replace('(stream_id', '(insert_id, stream_id')
    .replace('values (', `overriding system value values (${rows[0].id}, `)
  await expect(tx.query(late)).rejects.toMatchObject({
    code: 'TM013',
    hint: 'Leave insert_id to its default.',
  })
  await tx.query('rollback to s')
  await store.append('s-1', added(2), { tx })
  await tx.query('commit')
  await expectOrderOfLog(own, ',1,2')
})

test('ids drawn before and after an append in one statement do not have it applied twice', async () => {
  const { own, store } = await inlineSums()
  const tx = await begin(own)
  const draw = async () => {
    const { rows } = await tx.query("select nextval('tidemark.events_insert_id_seq')::text as id")
    return rows[0].id
  }
  const before = await draw()
  await store.append('s-1', added(1), { tx })
  const after = await draw()
  await expect(
    tx.query(/* sql */ `
      insert into tidemark.events (insert_id, stream_id, version, event_id, type, data)
      overriding system value
      values
        (${before}, 'raw-1', 1, gen_random_uuid(), 'added', '{"key": "a", "amount": 7}'),
        (${after}, 'raw-1', 2, gen_random_uuid(), 'added', '{"key": "a", "amount": 8}')`),
  ).rejects.toMatchObject({ code: 'TM013' })
  await tx.query('rollback')
})

test('a trigger that inserts events beside those of an append has them applied with it', async () => {
  const { own, store } = await inlineSums()
  await own.pool.query(/* sql */ `
    create function public.echo() returns trigger language plpgsql as $$
    begin
      insert into tidemark.events (stream_id, version, event_id, type, data)
      values ('echo-' || new.stream_id, new.version, gen_random_uuid(), 'added', new.data);
      return new;
    end
    $$;
    create trigger echo before insert on tidemark.events
      for each row when (new.stream_id not like 'echo-%')
      execute function public.echo()`)
  await store.append('s-1', [added(1), added(2)])
  const tx = await begin(own)
  await store.append('s-1', added(3), { tx })
  await tx.query('commit')
  await expectOrderOfLog(own, ',1,1,2,2,3,3')
})
