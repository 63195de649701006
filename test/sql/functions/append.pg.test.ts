import { describe, expect, test } from 'vitest'
import { parseToken } from '../../../src/core/token.ts'
import { appendToStream } from '../../../src/store/append.ts'
import { names } from '../../store/fixtures.ts'
import { useDatabase } from '../../support/database.ts'

const database = useDatabase()

let streams = 0

function newStream(): string {
  streams += 1
  return `order-${streams}`
}

function append(streamId: unknown, expected: unknown, events: unknown) {
  const json = typeof events === 'string' ? events : JSON.stringify(events)
  return database.pool.query('select * from tidemark.append($1, $2, $3)', [
    streamId,
    expected,
    json,
  ])
}

async function read(streamId: string) {
  const { rows } = await database.pool.query(
    'select * from tidemark.events where stream_id = $1 order by version',
    [streamId],
  )
  return rows
}

const placed = { type: 'order.placed', data: { cents: 4200 } }

describe('tidemark.append', () => {
  test('with a key is carried out once, and refused for other events', async () => {
    const append = (cents: number) =>
      database.pool.query(
        `select * from tidemark.append('psql-key', 'any', $1, key => 'request-1')`,
        [JSON.stringify([{ type: 'order.placed', data: { cents } }])],
      )
    const [first] = (await append(1)).rows
    const [second] = (await append(1)).rows
    expect(first).toMatchObject({ version: '1', replayed: false })
    expect(second).toEqual({ ...first, replayed: true })
    await expect(append(2)).rejects.toMatchObject({ code: 'TM009' })
    expect(await read('psql-key')).toHaveLength(1)
  })

  test('with a key is the same append as the one from TypeScript', async () => {
    const events = [
      { type: 'noted', schemaVersion: 1, data: { n: 1 }, tags: ['a', 'b c', 'd"\\'] },
      { type: 'noted', schemaVersion: 1, data: { n: 2 } },
    ]
    const append = (key: string) =>
      database.pool.query(`select * from tidemark.append('psql-both', 'any', $1, key => $2)`, [
        JSON.stringify(events),
        key,
      ])
    const put = (key: string) =>
      appendToStream(database.pool, names, { streamId: 'psql-both', events }, { key })
    const { token } = await put('both-1')
    expect((await append('both-1')).rows).toEqual([{ version: '2', token, replayed: true }])
    const [appended] = (await append('both-2')).rows
    expect(await put('both-2')).toMatchObject({ token: appended.token, replayed: true })
  })

  test('under a condition is refused once an event matches, and a retry by its key is not', async () => {
    const append = (stream: string, tag: string, condition: object, key: string | null = null) =>
      database.pool.query(`select * from tidemark.append($1, 'any', $2, $3, $4)`, [
        stream,
        JSON.stringify([{ type: 'claimed', data: {}, tags: [tag, 'x'] }]),
        key,
        JSON.stringify(condition),
      ])
    const { rows } = await database.pool.query('select tidemark.query_token() as after')
    const query = [{ tags: ['name:a'] }]
    const seen = { query, after: rows[0].after }
    expect((await append('psql-a', 'name:a', { query }, 'claim')).rows[0].replayed).toBe(false)
    expect((await append('psql-a', 'name:a', { query }, 'claim')).rows[0].replayed).toBe(true)
    await expect(append('psql-b', 'name:a', { query })).rejects.toMatchObject({ code: 'TM010' })
    await expect(append('psql-b', 'name:a', seen)).rejects.toMatchObject({ code: 'TM010' })
    await append('psql-b', 'name:b', { query: [{ tags: ['name:a', 'name:b'] }] })
    await append('psql-b', 'name:c', { query: [{ types: ['released'] }] })
    for (const invalid of [{}, { query: [] }, { query: [{}] }, { query, after: 'x' }]) {
      await expect(append('psql-c', 'c', invalid)).rejects.toMatchObject({ code: 'TM005' })
    }
    expect(await read('psql-c')).toEqual([])
  })

  test.for(['schema_version', 'foo', 'Tags'])('refuses an event with the key %s', async (key) => {
    const events = [{ type: 'noted', data: {}, [key]: 2 }]
    const append = database.pool.query(`select tidemark.append('unknown-key-1', 'any', $1)`, [
      JSON.stringify(events),
    ])
    await expect(append).rejects.toMatchObject({ code: 'TM005' })
    expect(await read('unknown-key-1')).toEqual([])
  })

  test('appends from psql, and tells the version and a token', async () => {
    const { rows } = await database.pool.query(
      `select * from tidemark.append('psql-1', 'absent', '[{"type": "order.placed", "data": {"cents": 4200}}]')`,
    )
    expect(rows).toEqual([{ version: '1', token: expect.any(String), replayed: false }])
    const [stored] = await read('psql-1')
    expect(stored).toMatchObject({
      type: 'order.placed',
      data: { cents: 4200 },
      schema_version: 1,
      metadata: {},
      tags: [],
    })
    expect(stored.event_id).toMatch(/^[0-9a-f-]{36}$/)
    const { incarnation, transactionId } = parseToken(rows[0].token)
    expect(stored).toMatchObject({ incarnation, transaction_id: transactionId.toString() })
  })

  test('takes its arguments by name', async () => {
    const streamId = newStream()
    const { rows } = await database.pool.query(
      'select version from tidemark.append(events => $3, expected => $2, stream_id => $1)',
      [streamId, '0', JSON.stringify([placed, placed])],
    )
    expect(rows).toEqual([{ version: '2' }])
  })

  test('stores everything that an event has', async () => {
    const streamId = newStream()
    const tags = ['a,b', 'NULL', 'null', '', '"', '\\', '{x}', 'é漢👍', `it's`]
    await append(streamId, 'any', [
      {
        type: 'order.placed',
        data: [1, null, 'x'],
        schemaVersion: 7,
        id: '018f3f7e-7b1c-7c3e-8000-000000000001',
        metadata: { userId: 'u' },
        tags,
      },
      { ...placed, data: null, tags: [] },
      { ...placed, data: 'text' },
    ])
    expect(await read(streamId)).toMatchObject([
      {
        version: '1',
        type: 'order.placed',
        data: [1, null, 'x'],
        schema_version: 7,
        event_id: '018f3f7e-7b1c-7c3e-8000-000000000001',
        metadata: { userId: 'u' },
        tags,
      },
      { version: '2', data: null, tags: [] },
      { version: '3', data: 'text', tags: [] },
    ])
  })

  test('keeps the order of the events', async () => {
    const streamId = newStream()
    const events = Array.from({ length: 500 }, (_, n) => ({ type: 'counted', data: n }))
    await append(streamId, 'absent', events)
    expect((await read(streamId)).map(({ data }) => data)).toEqual(events.map(({ data }) => data))
  })

  test('appends twice in one statement', async () => {
    const streamId = newStream()
    const { rows } = await database.pool.query(
      `select (tidemark.append($1, n::text, $2)).version
      from generate_series(0, 2) as n`,
      [streamId, JSON.stringify([placed])],
    )
    expect(rows).toEqual([{ version: '1' }, { version: '2' }, { version: '3' }])
  })

  test('commits and rolls back with what else the transaction does', async () => {
    const [kept, gone] = [newStream(), newStream()]
    await database.pool.query(/* sql */ `
      create table orders (id text);
      begin;
      insert into orders values ('kept');
      select tidemark.append('${kept}', 'absent', '[{"type": "placed", "data": {}}]');
      savepoint s;
      insert into orders values ('gone');
      select tidemark.append('${gone}', 'absent', '[{"type": "placed", "data": {}}]');
      rollback to s;
      commit`)
    expect((await database.pool.query('select * from orders')).rows).toEqual([{ id: 'kept' }])
    expect([(await read(kept)).length, (await read(gone)).length]).toEqual([1, 0])
  })

  test.each([
    ['any', 0],
    ['any', 2],
    ['absent', 0],
    ['present', 2],
    ['0', 0],
    ['2', 2],
    ['02', 2],
  ])('finds %s right for a stream at version %d', async (expected, before) => {
    const streamId = newStream()
    if (before > 0) await append(streamId, 'absent', [placed, placed])
    const { rows } = await append(streamId, expected, [placed])
    expect(rows[0].version).toBe(String(before + 1))
  })

  test.each([
    ['absent', 2],
    ['present', 0],
    ['0', 2],
    ['1', 0],
    ['1', 2],
    ['3', 2],
    ['999999999999999999', 2],
  ])('raises TM004 when it is told %s of a stream at version %d', async (expected, before) => {
    const streamId = newStream()
    if (before > 0) await append(streamId, 'absent', [placed, placed])
    await expect(append(streamId, expected, [placed])).rejects.toMatchObject({
      code: 'TM004',
      message: `stream "${streamId}" is at version ${before}, expected ${expected}`,
      detail: String(before),
      hint: 'Read the stream again and decide anew.',
    })
    expect((await read(streamId)).length).toBe(before)
  })

  test('leaves a transaction usable that has made a savepoint', async () => {
    const streamId = newStream()
    const client = await database.client()
    await client.query('begin; savepoint s')
    const call = `select * from tidemark.append($1, 'present', $2)`
    await expect(client.query(call, [streamId, JSON.stringify([placed])])).rejects.toMatchObject({
      code: 'TM004',
    })
    await client.query('rollback to s')
    await client.query(`select tidemark.append($1, 'absent', $2)`, [
      streamId,
      JSON.stringify([placed]),
    ])
    await client.query('commit')
    expect((await read(streamId)).length).toBe(1)
    await client.end()
  })
})

describe('tidemark.append raises TM005 and writes nothing', () => {
  /** Where the stream id is not at fault, it is a new one. */
  const any = undefined

  test.each<[string, unknown, unknown, unknown]>([
    ['no stream id', null, 'any', [placed]],
    ['an empty stream id', '', 'any', [placed]],
    ['no expectation', any, null, [placed]],
    ['an empty expectation', any, '', [placed]],
    ['an unknown expectation', any, 'latest', [placed]],
    ['an expectation in capitals', any, 'ANY', [placed]],
    ['an expectation with a space', any, ' any', [placed]],
    ['an expectation of two lines', any, 'any\nabsent', [placed]],
    ['a negative version', any, '-1', [placed]],
    ['a version with a fraction', any, '1.0', [placed]],
    ['a version over 64 bits', any, '9999999999999999999', [placed]],
    ['no events', any, 'any', null],
    ['an empty list', any, 'any', []],
    ['an object instead of a list', any, 'any', placed],
    ['text instead of a list', any, 'any', '"x"'],
    ['null instead of a list', any, 'any', 'null'],
    ['an event that is a number', any, 'any', [1]],
    ['an event that is text', any, 'any', ['placed']],
    ['an event that is null', any, 'any', [placed, null]],
    ['an event that is a list', any, 'any', [[placed]]],
    ['an event without a type', any, 'any', [placed, { data: {} }]],
    ['an event with an empty type', any, 'any', [{ type: '', data: {} }]],
    ['an event whose type is null', any, 'any', [{ type: null, data: {} }]],
    ['an event without data', any, 'any', [{ type: 'placed' }]],
    ['an id that is no UUID', any, 'any', [{ ...placed, id: 'e-1' }]],
    ['a schema version of words', any, 'any', [{ ...placed, schemaVersion: 'two' }]],
    ['a schema version with a fraction', any, 'any', [{ ...placed, schemaVersion: 1.5 }]],
    ['schema version 0', any, 'any', [{ ...placed, schemaVersion: 0 }]],
    ['a schema version over 32,767', any, 'any', [{ ...placed, schemaVersion: 32_768 }]],
    ['tags that are text', any, 'any', [{ ...placed, tags: 'a' }]],
    ['tags that are an object', any, 'any', [{ ...placed, tags: { a: 1 } }]],
    ['a tag that is null', any, 'any', [{ ...placed, tags: ['a', null] }]],
    ['metadata that is text', any, 'any', [{ ...placed, metadata: 'a' }]],
    ['metadata that is a list', any, 'any', [{ ...placed, metadata: [] }]],
    ['metadata that is null', any, 'any', [{ ...placed, metadata: null }]],
  ])('when it is given %s', async (_, streamId, expected, events) => {
    const target = streamId === undefined ? newStream() : streamId
    const error = await append(target, expected, events).catch((reason) => reason)
    expect(await read(String(target))).toEqual([])
    expect(error).toMatchObject({ code: 'TM005' })
  })
})
