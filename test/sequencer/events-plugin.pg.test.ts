import { PgoutputPlugin } from 'pg-logical-replication'
import { beforeAll, expect, test } from 'vitest'
import { CommitAssembler, type WalMessage } from '../../src/sequencer/commit-assembler.ts'
import { EventsPlugin } from '../../src/sequencer/events-plugin.ts'
import { parseLsn } from '../../src/sequencer/lsn.ts'
import { useDatabase } from '../support/database.ts'
import { seededRandom } from '../support/random.ts'
import { append } from './ledger.ts'

const database = useDatabase()
const publication = 'everything'

/** What a server sends for transactions of every kind, message by message. */
let messages: Buffer[] = []

beforeAll(async () => {
  const { pool } = database
  const slot = `plugin_${database.name}`
  await pool.query(`create publication ${publication} for all tables`)
  await pool.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot])
  await pool.query('create schema other; create table other.events (a text, incarnation text)')
  await pool.query(/* sql */ `
    create type mood as enum ('fine');
    create table moods (m mood, n integer[]);
    alter table moods replica identity full`)
  const client = await database.client()
  for (const end of ['commit', 'rollback', 'commit']) {
    await client.query('begin')
    await append(client, 'stream', 3)
    await client.query("insert into other.events values ('x', null), (repeat('y', 100000), '7')")
    await append(client, `é-${end}`, [{ type: 'large', data: { text: 'z'.repeat(50_000) } }])
    await client.query("insert into moods values ('fine', '{1,2}'), (null, null)")
    await client.query(end)
  }
  await append(client, 'single')
  await client.query("update moods set m = 'fine'; delete from moods; truncate moods")
  await client.query("select pg_logical_emit_message(true, 'a', 'b')")
  const { rows } = await pool.query<{ data: Buffer }>(
    `select data from pg_logical_slot_get_binary_changes(
      $1, null, null, 'proto_version', '1', 'publication_names', $2, 'messages', 'true')`,
    [slot, publication],
  )
  await pool.query('select pg_drop_replication_slot($1)', [slot])
  messages = rows.map((row) => row.data)
})

/** What the library's own decoder makes of a message, in our words. */
function toWalMessage(parsed: ReturnType<PgoutputPlugin['parse']>): WalMessage {
  switch (parsed.tag) {
    case 'begin':
      return { tag: 'begin' }
    case 'commit':
      return {
        tag: 'commit',
        endLsn: parseLsn(parsed.commitEndLsn ?? ''),
        committedAtUs: BigInt(`${parsed.commitTime}`),
      }
    case 'insert': {
      const { schema, name } = parsed.relation
      const tag = name === 'events' ? 'event' : 'message'
      if (schema !== 'tidemark' || !/^(events|outbox)$/.test(name)) return { tag: 'foreign-row' }
      const { incarnation, transaction_id } = parsed.new
      return {
        tag,
        incarnation: String(incarnation),
        transactionId: String(transaction_id),
      }
    }
    default:
      return { tag: 'other' }
  }
}

test('decodes whatever a server sends as the library does', () => {
  const library = new PgoutputPlugin({ protoVersion: 1, publicationNames: [publication] })
  const ours = new EventsPlugin(publication, 'tidemark')
  const tags = new Set(messages.map((message) => String.fromCharCode(message[0] ?? 0)))
  expect([...tags].toSorted()).toEqual(['B', 'C', 'D', 'I', 'M', 'R', 'T', 'U', 'Y'])
  for (const message of messages) {
    expect(ours.decode(message)).toEqual(toWalMessage(library.parse(message)))
  }
})

test('gives the commits of this log and of no other', () => {
  const plugin = new EventsPlugin(publication, 'tidemark')
  const assembler = new CommitAssembler()
  const counts = messages
    .map((message) => assembler.take(plugin.decode(message) as WalMessage))
    .map((ended) => ended?.commit?.eventCount)
    .filter((count) => count !== undefined)
  expect(counts).toEqual([4, 4, 1])
})

test('a message that is cut off anywhere is undecodable, or the same as the whole', () => {
  const plugin = new EventsPlugin(publication, 'tidemark')
  for (const message of messages) {
    const whole = plugin.decode(message)
    const step = Math.max(1, Math.floor(message.length / 200))
    for (let length = 0; length < message.length; length += step) {
      const cut = plugin.decode(message.subarray(0, length))
      if (cut.tag === 'undecodable') continue
      expect(cut, `${message.toString('latin1', 0, 1)} cut to ${length}`).toEqual(whole)
    }
  }
})

test('never throws, whatever the bytes', () => {
  const random = seededRandom(11)
  const plugin = new EventsPlugin(publication, 'tidemark')
  for (const message of messages) {
    for (let round = 0; round < 50; round += 1) {
      const broken = Buffer.from(message.subarray(0, 300))
      for (let flips = random.between(1, 4); flips > 0; flips -= 1) {
        broken[random.between(0, broken.length - 1)] = random.between(0, 255)
      }
      expect(plugin.decode(broken)).toHaveProperty('tag')
    }
  }
})

test.for([
  ['a row of a table that was not described', Buffer.from('I\0\0\0\x01N\0\0')],
  ['a message of an unknown kind', Buffer.from('?')],
  ['nothing', Buffer.alloc(0)],
] as const)('%s is undecodable', ([, message]) => {
  expect(new EventsPlugin(publication, 'tidemark').decode(message)).toEqual({
    tag: 'undecodable',
    error: expect.objectContaining({ code: 'REPLICATION_STREAM_INVALID' }),
  })
})

test('events without the columns that are needed are undecodable', () => {
  const relation = Buffer.from('R\0\0\0\x07tidemark\0events\0d\0\x01\0data\0\0\0\0\x19\0\0\0\0')
  expect(new EventsPlugin(publication, 'tidemark').decode(relation)).toEqual({
    tag: 'undecodable',
    error: expect.objectContaining({ message: expect.stringContaining('data') }),
  })
  expect(new EventsPlugin(publication, 'other').decode(relation)).toEqual({ tag: 'other' })
})
