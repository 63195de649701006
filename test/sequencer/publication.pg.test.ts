import { expect, inject, onTestFinished, test } from 'vitest'
import { migrate } from '../../src/worker/migrate.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { append, dropLogSlots, findFaults, untilSequenced } from './ledger.ts'
import { type StartedSequencer, startSequencer } from './start-sequencer.ts'

const hasColumnLists = inject('postgres').version >= 150_000
const columns = hasColumnLists ? '(incarnation, transaction_id)' : ''

async function createDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase()
  onTestFinished(async () => {
    await dropLogSlots(database.connectionString)
    await database[Symbol.asyncDispose]()
  })
  return database
}

async function untilRefused(sequencer: StartedSequencer, reason: string): Promise<void> {
  const line = await until('the publication to be refused', (saw) => {
    saw(sequencer.log.lines)
    return sequencer.log.withCode('PUBLICATION_INVALID')[0]
  })
  expect(line.level).toBe('warn')
  expect(line.message).toContain(reason)
  expect(line.message).toContain('migrate again')
}

async function migrateAgain({ connectionString }: TestDatabase): Promise<void> {
  await migrate({ connectionString, jobSchema: false })
}

const lackingColumns = hasColumnLists
  ? ([
      [
        'lacks a column',
        `alter publication tidemark_log set table tidemark.events (incarnation), tidemark.outbox ${columns}`,
        'lacks one of the columns',
      ],
    ] as const)
  : []

test.for([
  ['is missing', 'drop publication tidemark_log', 'does not exist'],
  ['lacks the table', 'alter publication tidemark_log drop table tidemark.events', 'lacks table'],
  [
    'carries another table',
    'alter publication tidemark_log add table tidemark.commits',
    'publishes other tables too',
  ],
  ...lackingColumns,
  [
    'publishes no inserts',
    "alter publication tidemark_log set (publish = 'update')",
    'does not publish inserts',
  ],
  [
    'publishes more than inserts',
    "alter publication tidemark_log set (publish = 'insert, update')",
    'publishes more than inserts',
  ],
] as const)(
  'says so when the publication %s, while appends go on',
  async ([, statement, reason]) => {
    const database = await createDatabase()
    await database.pool.query(statement)
    await using sequencer = startSequencer({ connectionString: database.connectionString })
    await untilRefused(sequencer, reason)
    const id = await append(database.pool, 'kept', 2)
    expect(sequencer.roles).not.toContain('leader')

    await database.pool.query('drop publication if exists tidemark_log')
    await migrateAgain(database)
    expect(await untilSequenced(database.pool, id)).toMatchObject({ events: 2, position: 2n })
  },
)

/** What happens to the publication while events are appended, and how it comes back. */
const interruptions = [
  ['dropped and made again', ['drop publication tidemark_log'], []],
  [
    'altered to publish nothing, and dropped',
    ["alter publication tidemark_log set (publish = '')"],
    ['drop publication tidemark_log'],
  ],
  [
    'altered to publish nothing, and altered back',
    ["alter publication tidemark_log set (publish = '')"],
    ["alter publication tidemark_log set (publish = 'insert')"],
  ],
  [
    'deprived of the table for a while',
    ['alter publication tidemark_log drop table tidemark.events'],
    [`alter publication tidemark_log add table tidemark.events ${columns}`],
  ],
  // As one that was made before there was an outbox.
  [
    'without the outbox until the migrations',
    ['alter publication tidemark_log drop table tidemark.outbox'],
    [],
  ],
] as const

test.for(interruptions)(
  'a publication that is %s while no worker runs costs no event',
  async ([, before, after]) => {
    const database = await createDatabase()
    await using first = startSequencer({ connectionString: database.connectionString })
    await untilSequenced(database.pool, await append(database.pool, 'same'))
    await first.untilLeading()
    await first.stop()

    for (const statement of before) await database.pool.query(statement)
    await append(database.pool, 'same', 2)
    for (const statement of after) await database.pool.query(statement)
    await migrateAgain(database)
    await append(database.pool, 'same')
    await using _second = startSequencer({ connectionString: database.connectionString })
    await untilSequenced(database.pool, await append(database.pool, 'same'))
    expect(await findFaults(database.pool)).toEqual([])
  },
)

test.for(interruptions)(
  'a publication that is %s under a running worker costs no event',
  async ([, before, after]) => {
    const database = await createDatabase()
    await using sequencer = startSequencer({ connectionString: database.connectionString })
    await untilSequenced(database.pool, await append(database.pool, 'same'))
    await sequencer.untilLeading()

    for (const statement of before) await database.pool.query(statement)
    await append(database.pool, 'same', 2)
    for (const statement of after) await database.pool.query(statement)
    await migrateAgain(database)
    await append(database.pool, 'same')
    await untilSequenced(database.pool, await append(database.pool, 'same'))
    expect(await findFaults(database.pool)).toEqual([])
  },
)
